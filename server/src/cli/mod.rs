//! The command line.

mod help;

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::Flags;

/// A chat backend that never loses a word and can prove it.
#[derive(Debug, Parser)]
#[command(name = "verbatim", version, long_about = help::ABOUT, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve REST, WebSockets and the page.
    #[command(after_help = help::SERVE)]
    Serve(ServeArgs),
    /// Print the log as JSON lines, beside a live or a stopped server.
    #[command(after_help = help::REPLAY)]
    Replay(ReplayArgs),
    /// Look at the read models, or build one again.
    #[command(subcommand)]
    Projection(ProjectionCommand),
    /// Print every setting: its meaning, names, default and bounds, and its effective value.
    Config(ConfigArgs),
    /// Open a WebSocket and print its frames as lines; lines of standard input are sent as frames.
    #[command(after_help = help::CONNECT)]
    Connect(ConnectArgs),
    /// Print a new id for a message, a group or a channel (UUIDv7).
    Id,
    /// Print the OpenAPI document of the REST interface.
    Openapi,
    /// Print the AsyncAPI document of the WebSocket.
    Asyncapi,
}

/// `verbatim serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Development mode: loopback only, makes its own secret and hands out tokens.
    #[arg(long)]
    pub dev: bool,
    /// The data folder [default: verbatim-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Where to listen [default: 127.0.0.1:8080]; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The services to run: command-api, projectors, query-api, gateway [default: all].
    #[arg(long, value_name = "A,B")]
    pub roles: Option<String>,
}

/// `verbatim replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Only this conversation.
    #[arg(long, value_name = "ID")]
    pub conversation: Option<uuid::Uuid>,
    /// What to print: the events as they were proposed, or the rulings on them.
    #[arg(long, value_enum, default_value_t = Stream::Events)]
    pub stream: Stream,
}

/// A stream of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// `chat.events`: what was proposed, in order.
    Events,
    /// `chat.timeline`: what counts.
    Timeline,
}

/// `verbatim projection`
#[derive(Debug, Subcommand)]
pub enum ProjectionCommand {
    /// Print each projection's version, position and lag.
    Status(DataArgs),
    /// Stop a projection between two batches. It lags until it is resumed.
    Pause(ProjectionArgs),
    /// Let a paused projection go on.
    Resume(ProjectionArgs),
    /// Build a projection again from the log while the server serves, compare it, and switch.
    Rebuild(RebuildArgs),
}

/// The data folder of a command that needs only that.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// `verbatim projection pause` and `resume`
#[derive(Debug, Args)]
pub struct ProjectionArgs {
    /// The projection, as `status` names it.
    pub projection: String,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// `verbatim projection rebuild`
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// The projection.
    #[arg(value_enum)]
    pub projection: Projection,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// A projection that can be built again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Projection {
    /// Messages, entries, memberships and receipts.
    History,
}

/// `verbatim config`
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `verbatim connect`
#[derive(Args)]
#[command(group = clap::ArgGroup::new("who").required(true).args(["user", "token"]))]
pub struct ConnectArgs {
    /// The server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Whom to be, with a token of the server's development mode.
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// A token, where the server is not in development mode.
    #[arg(long, value_name = "JWT")]
    pub token: Option<String>,
    /// The position of an earlier welcome, to hear only of what has changed since.
    #[arg(long, value_name = "POSITION")]
    pub since: Option<String>,
    /// Stop after so many seconds; without it, when the server closes or Ctrl-C is pressed.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub seconds: Option<u32>,
}

// The token stays out of messages.
impl std::fmt::Debug for ConnectArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConnectArgs({}, {:?})", self.url, self.user)
    }
}

impl ServeArgs {
    /// The settings among the arguments.
    pub fn flags(&self) -> Flags {
        Flags {
            listen: self.listen.clone(),
            data: self.data.clone(),
            roles: self.roles.clone(),
            dev: self.dev,
            config: self.config.clone(),
        }
    }
}

impl Cli {
    /// Parses the process's arguments. Help and version end the process with 0, a wrong argument
    /// with 2 and a message on standard error.
    pub fn from_process() -> Self {
        Self::from_arguments(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Parses arguments, the program's name first.
    pub fn from_arguments<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let command = Self::command().after_long_help(help::after_long_help());
        Self::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::from_arguments(line.split_whitespace())
    }

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_lines_parse() {
        for line in [
            "verbatim serve",
            "verbatim serve --dev --data d --listen 127.0.0.1:0 --config f --roles gateway",
            "verbatim replay --data d",
            "verbatim replay --data d --conversation 0198c0de-0000-7000-8000-000000000000",
            "verbatim replay --data d --stream timeline",
            "verbatim projection status --data d",
            "verbatim projection rebuild history --data d",
            "verbatim projection pause history --data d",
            "verbatim projection resume history --data d",
            "verbatim config",
            "verbatim connect --user bob",
            "verbatim connect --url http://127.0.0.1:1 --token x --since y --for 3",
            "verbatim id",
            "verbatim openapi",
            "verbatim asyncapi",
        ] {
            parse(line).unwrap();
        }
    }

    #[test]
    fn wrong_lines_exit_with_2_and_help_with_0() {
        for line in [
            "verbatim",
            "verbatim serv",
            "verbatim serve --frob",
            "verbatim replay",
            "verbatim replay --data d --conversation x",
            "verbatim projection rebuild inbox --data d",
            "verbatim connect",
            "verbatim connect --user bob --token x",
            "verbatim connect --user bob --for 0",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        for line in ["verbatim --help", "verbatim --version", "verbatim serve --help"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 0, "{line}");
        }
    }

    #[test]
    fn help_names_every_setting() {
        let help = parse("verbatim --help").unwrap_err().to_string();
        for setting in crate::config::all_settings() {
            assert!(help.contains(&setting.env()), "{}", setting.key);
        }
        assert!(help.contains("serve --dev"));
    }
}
