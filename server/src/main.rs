//! The `verbatim` binary: reads the command line, runs the command, and turns its outcome into an
//! exit code: 0 done, 1 failed, 2 wrong settings or arguments.

use std::io::Write;
use std::process::ExitCode;

use verbatim_ports::clock::{Clock, new_command_id};
use verbatim_server::cli::{Cli, Command, ProjectionCommand, ServeArgs};
use verbatim_server::clock::{SystemClock, SystemEntropy};
use verbatim_server::config::{Config, ConfigError, Flags, process_env, render_settings};
use verbatim_server::{connect, serve, telemetry, wiring};

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    match dispatch(Cli::from_process().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let misused = error.downcast_ref::<ConfigError>().is_some();
            let _ = writeln!(std::io::stderr(), "verbatim: {error:#}");
            ExitCode::from(if misused { MISUSED } else { FAILED })
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => run_serve(&args),
        Command::Replay(args) => wiring::replay(&args),
        Command::Projection(command) => runtime()?.block_on(run_projection(command)),
        Command::Config(args) => {
            let flags = Flags { config: args.config, ..Flags::default() };
            print(&render_settings(&Config::load(&flags, process_env())?))
        }
        Command::Connect(args) => runtime()?.block_on(connect::run(args)),
        Command::Id => print(&new_command_id(&SystemEntropy, SystemClock.now()).to_string()),
        Command::Openapi => print(&wiring::openapi()?),
        Command::Asyncapi => print(&wiring::asyncapi()?),
    }
}

async fn run_projection(command: ProjectionCommand) -> anyhow::Result<()> {
    match command {
        ProjectionCommand::Status(args) => wiring::status(args).await,
        ProjectionCommand::Pause(args) => wiring::switch(args, true).await,
        ProjectionCommand::Resume(args) => wiring::switch(args, false).await,
        ProjectionCommand::Rebuild(args) => wiring::rebuild(args).await,
    }
}

fn run_serve(args: &ServeArgs) -> anyhow::Result<()> {
    let config = Config::load_for_serving(&args.flags(), process_env())?;
    telemetry::init_logs(&config.log);
    // What is made from here on, messages among it, is for this user alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let announced = config.clone();
    let runtime = runtime()?;
    let served = serve::run(config, wiring::start, |address| serve::announce(address, &announced));
    let outcome = runtime.block_on(served);
    // Whatever is still running had its drain time.
    runtime.shutdown_background();
    outcome
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Prints to standard output. A reader that has gone away, such as `head`, is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
