//! The longer texts of `--help`.

/// What it is.
pub const ABOUT: &str = "\
Verbatim is a chat backend that never loses a word and can prove it: direct and group messaging,
large channels, presence, receipts and history. Clients speak REST and WebSockets; auditors replay
the log. One binary and a folder are enough to run it.";

/// Examples of `serve`.
pub const SERVE: &str = "\
It prints `listening on http://ADDR:PORT` once it is ready. SIGTERM and SIGINT let requests end
within the drain time and exit with 0; a second one exits at once. SIGHUP reads the TLS certificate
again.

Examples:
  verbatim serve --dev
  VERBATIM_AUTH_SECRET=\"$(cat secret)\" verbatim serve --data /var/lib/verbatim --listen 0.0.0.0:8080
  verbatim serve --config /etc/verbatim.toml

All settings: verbatim --help, or with their effective values: verbatim config";

/// Examples of `replay`.
pub const REPLAY: &str = "\
Each line is one record: {\"stream\",\"generation\",\"partition\",\"offset\",\"key\",\"time\",\"event\"}.

Examples:
  verbatim replay --data verbatim-data
  verbatim replay --data verbatim-data --stream timeline | jq -c .event";

/// Examples of `connect`.
pub const CONNECT: &str = "\
It says hello by itself, and answers pings. It speaks plain HTTP only.

Examples:
  verbatim connect --user bob
  verbatim connect --user bob --for 3 > frames.jsonl";

/// Examples, the layers of settings, and every setting.
pub fn after_long_help() -> String {
    format!(
        "\
Try it out:
  verbatim serve --dev
  curl -X POST http://127.0.0.1:8080/v1/dev/tokens -H 'content-type: application/json' \\
       -d '{{\"user_id\":\"alice\"}}'

Settings come from flags, then from the environment, then from a TOML file (--config or
VERBATIM_CONFIG), then from the defaults in brackets. In the file, VERBATIM_HTTP_BODY_LIMIT is
body_limit in the section [http]. Durations carry their unit (500ms, 30s, 5m, 1h), sizes are bytes
or 256KiB, lists have commas between. Several issuers of tokens are given as [[auth.issuers]] in
the file. An unknown or wrong setting ends the program with exit code 2.

{}",
        crate::config::render_table()
    )
}
