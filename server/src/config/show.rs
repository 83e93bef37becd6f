//! `verbatim config` and the settings part of `--help`.

use std::fmt::Write;

use super::{Config, all_settings};

/// The effective settings as a TOML file with every meaning, name, default and bound.
/// Secrets are not shown, only that they are set.
pub fn render_settings(config: &Config) -> String {
    let mut out = String::from(
        "# The effective settings. Flags are stronger than VERBATIM_*, those than the file\n\
         # (--config or VERBATIM_CONFIG), and that than the defaults.\n",
    );
    let mut section = "";
    for (setting, shown) in all_settings().iter().zip(config.shown()) {
        let (table, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if table != section {
            let _ = write!(out, "\n[{table}]\n");
            section = table;
        }
        let _ = write!(out, "\n# {}\n# {}", setting.meaning, setting.env());
        if !setting.default.is_empty() {
            let _ = write!(out, ", default {}", setting.default);
        }
        let _ = writeln!(out, "; {}", setting.allowed);
        let secret = setting.key == "auth.secret" && config.auth.secret.is_some();
        let _ = match shown.value {
            Some(value) => writeln!(out, "{name} = {value}"),
            None if secret => writeln!(out, "# {name} = (set, not shown)"),
            None => writeln!(out, "# {name} = (unset)"),
        };
    }
    let _ = writeln!(
        out,
        "\n# Further issuers, in the file only, each with issuer and audience, and one of secret,\n\
         # secret_file, jwks_file and jwks_url; with a JWK set also algorithms:\n\
         # [[auth.issuers]]\n# issuer = \"https://id.example.org\"\n\
         # jwks_url = \"https://id.example.org/jwks.json\"\n\
         # {} issuers are in effect.",
        config.issuers.len()
    );
    out
}

/// All settings by their environment names, for `--help`.
pub fn render_table() -> String {
    let mut out = String::new();
    for setting in all_settings() {
        let _ = write!(out, "  {}", setting.env());
        if !setting.default.is_empty() {
            let _ = write!(out, " [{}]", setting.default);
        }
        let _ = writeln!(out, "\n      {}", setting.meaning);
    }
    out
}
