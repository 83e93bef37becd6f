//! The commands for an operator: the log as JSON lines, and the projections of a running server.

use std::{
    borrow::Cow,
    io::{BufWriter, ErrorKind, Write},
    path::Path,
};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use verbatim_adapters::embedded::log::LogReader;
use verbatim_domain::partition;
use verbatim_ports::log::{Record, Stream};
use verbatim_schemas::{ConversationId, Timestamp};

use super::admin::{self, Request};
use crate::cli::{self, DataArgs, ProjectionArgs, RebuildArgs, ReplayArgs};

/// `verbatim replay`: the log as JSON lines on standard output, beside a live or a stopped server.
pub fn replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let stream = match args.stream {
        cli::Stream::Events => Stream::Events,
        cli::Stream::Timeline => Stream::Timeline,
    };
    let only = args
        .conversation
        .map(|id| ConversationId::new(id).context("--conversation is no conversation's id"))
        .transpose()?;
    let log = LogReader::open(&args.data, stream).context("cannot read the log")?;
    let layout = log.layout();
    let partitions = match only {
        Some(id) => {
            let partition = partition::of(id, layout.partitions);
            partition..partition + 1
        }
        None => 0..layout.partitions,
    };
    let key = only.map(|id| id.to_string());
    let mut found = false;
    let mut output = BufWriter::new(std::io::stdout().lock());
    for partition in partitions {
        let (mut from, end) = (0, log.end(partition)?);
        while from < end {
            let records = log.read(partition, from, end)?;
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            for record in records {
                if key.as_ref().is_none_or(|key| key.as_bytes() == record.key) {
                    found = true;
                    let line = line(stream, layout.generation, partition, &record)?;
                    match writeln!(output, "{line}") {
                        // A reader that has seen enough, such as `head`, is no error.
                        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                        written => written?,
                    }
                }
            }
        }
    }
    output.flush()?;
    if let (Some(key), false) = (key, found) {
        bail!("{} holds nothing of conversation {key}", stream.name());
    }
    Ok(())
}

/// One record as a line.
#[derive(Serialize)]
struct Line<'a> {
    stream: &'static str,
    generation: u32,
    partition: u32,
    offset: u64,
    key: Cow<'a, str>,
    time: Timestamp,
    event: Shown<'a>,
}

/// A record's value: byte for byte where it is JSON, so that no number is rounded; what is none is
/// shown as far as it can be, so that nothing is left out.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Json(&'a RawValue),
    Raw { raw: Cow<'a, str> },
}

fn line(
    stream: Stream,
    generation: u32,
    partition: u32,
    record: &Record,
) -> serde_json::Result<String> {
    let event = match serde_json::from_slice(&record.value) {
        Ok(json) => Shown::Json(json),
        Err(_) => Shown::Raw { raw: String::from_utf8_lossy(&record.value) },
    };
    serde_json::to_string(&Line {
        stream: stream.name(),
        generation,
        partition,
        offset: record.offset,
        key: String::from_utf8_lossy(&record.key),
        time: record.time,
        event,
    })
}

/// `verbatim projection status`
pub async fn status(args: DataArgs) -> anyhow::Result<()> {
    let projections = admin::ask(&args.data, &Request::Status, |_| {}).await?;
    let mut text = format!(
        "{:<10} {:>7} {:>9} {:>12} {:>12} {:>8}  state\n",
        "projection", "version", "partition", "position", "end", "lag"
    );
    for projection in projections.as_array().into_iter().flatten() {
        let name = projection["projection"].as_str().unwrap_or("?");
        if let Some(problem) = projection["problem"].as_str() {
            text += &format!("{name:<10} {problem}\n");
        }
        for partition in projection["partitions"].as_array().into_iter().flatten() {
            text += &format!(
                "{name:<10} {:>7} {:>9} {:>12} {:>12} {:>8}  {}\n",
                shown(&projection["version"]),
                partition["partition"],
                shown(&partition["position"][2]),
                shown(&partition["end"]),
                shown(&partition["lag"]),
                state(partition),
            );
        }
    }
    print(&text)
}

fn shown(value: &Value) -> String {
    if value.is_null() { "-".to_owned() } else { value.to_string() }
}

fn state(partition: &Value) -> String {
    let state = partition["state"].as_str().unwrap_or("?");
    match partition["reason"].as_str() {
        Some(reason) => format!("{state}: {reason}"),
        None => state.to_owned(),
    }
}

/// `verbatim projection pause` and `resume`
pub async fn switch(args: ProjectionArgs, pause: bool) -> anyhow::Result<()> {
    let projection = args.projection;
    let (request, word) = if pause {
        (Request::Pause { projection: projection.clone() }, "paused")
    } else {
        (Request::Resume { projection: projection.clone() }, "resumed")
    };
    admin::ask(&args.data, &request, |_| {}).await?;
    print(&format!("{projection} is {word}\n"))
}

/// `verbatim projection rebuild history`
pub async fn rebuild(args: RebuildArgs) -> anyhow::Result<()> {
    let cli::Projection::History = args.projection;
    let bar = ProgressBar::new(0);
    let style = "{msg:<10} {bar:40} {pos}/{len} rulings, {per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style)?);
    let built = ask_rebuild(&args.data, &bar).await;
    bar.finish_and_clear();
    let built = built?;
    print(&format!(
        "history was built again as version {} and is live; its digest equals that of the version before: {}\n",
        built["version"],
        built["digest"].as_str().unwrap_or("?"),
    ))
}

async fn ask_rebuild(data: &Path, bar: &ProgressBar) -> anyhow::Result<Value> {
    admin::ask(data, &Request::RebuildHistory, |progress| {
        bar.set_message(progress["phase"].as_str().unwrap_or("working").to_owned());
        bar.set_length(progress["total"].as_u64().unwrap_or(0));
        bar.set_position(progress["done"].as_u64().unwrap_or(0));
    })
    .await
}

fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
