//! Appending: order, places, bytes, times.

use bytes::Bytes;
use futures_util::future::try_join_all;
use verbatim_schemas::bounds::EVENT_BYTES;

use super::scene::{Scene, Written, record};
use crate::{
    contract::breach::{Check, ensure},
    log::NewRecord,
};

/// Of two calls the earlier one's records come first, whichever future is polled first.
pub(super) async fn order_of_calls(scene: &Scene) -> Check {
    let from = scene.ends().await?;
    let mut appends = Vec::new();
    for call in 0..300 {
        for partition in scene.partitions() {
            let records = vec![record(partition, format!("call {call}"))];
            appends.push((scene.start(records.clone()), records));
        }
    }
    let mut written = Written::new();
    for (append, records) in appends.into_iter().rev() {
        scene.finish(append, records, &mut written).await?;
    }
    // They were answered backwards, so by calls their places go up.
    written.values_mut().for_each(|records| records.reverse());
    for (partition, records) in &written {
        let up = records.windows(2).all(|pair| pair[0].offset < pair[1].offset);
        ensure!(up, "places in partition {partition} are not in the order of the calls");
    }
    scene.holds(&from, &written).await
}

/// Many appenders at once: each one's records stay in order, those of a call are adjacent, and
/// nothing is lost or doubled.
pub(super) async fn concurrent_appenders(scene: &Scene) -> Check {
    let from = scene.ends().await?;
    let appender = async |appender: u32| {
        let mut written = Written::new();
        for call in 0..20 {
            let partition = (appender + call) % 3;
            let text = |part| format!("appender {appender}, call {call}, part {part}");
            let records = (0..3).map(|part| record(partition, text(part))).collect();
            scene.append(records, &mut written).await?;
        }
        Ok::<_, String>(written)
    };
    let mut all = Written::new();
    for written in try_join_all((0..25).map(appender)).await? {
        for (partition, records) in written {
            let up = records.windows(2).all(|pair| pair[0].offset < pair[1].offset);
            ensure!(up, "an appender's records are not in its order");
            all.entry(partition).or_default().extend(records);
        }
    }
    all.values_mut().for_each(|records| records.sort_by_key(|record| record.offset));
    for records in all.values() {
        let text = |index: usize| String::from_utf8_lossy(&records[index].value).into_owned();
        for index in (0..records.len()).step_by(3) {
            let call = text(index);
            let call = call.trim_end_matches('0');
            let adjacent = (1..3).all(|part| text(index + part) == format!("{call}{part}"));
            ensure!(adjacent, "the records of {call} are not adjacent");
        }
    }
    scene.holds(&from, &all).await
}

/// A call to several partitions is answered in the order of its records.
pub(super) async fn several_partitions(scene: &Scene) -> Check {
    let from = scene.ends().await?;
    let mut written = Written::new();
    for round in 0..5 {
        let one = |number: u32| record((number * 2 + round) % 3, format!("{round}: {number}"));
        scene.append((0..40).map(one).collect(), &mut written).await?;
    }
    scene.holds(&from, &written).await
}

/// A call without records succeeds.
pub(super) async fn nothing(scene: &Scene) -> Check {
    scene.append(Vec::new(), &mut Written::new()).await?;
    let failing = scene.log.failing(scene.stream);
    ensure!(failing.is_none(), "acknowledged, and yet it fails: {failing:?}");
    Ok(())
}

/// Keys and values are kept byte for byte.
pub(super) async fn bytes_as_they_are(scene: &Scene) -> Check {
    let from = scene.ends().await?;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let values = [
        Bytes::new(),
        Bytes::from_static(b"\0"),
        Bytes::from_static(b"\xff\xfe\x80"),
        Bytes::from(all_bytes.clone()),
        Bytes::from(all_bytes.repeat(EVENT_BYTES / all_bytes.len())),
        Bytes::from_static("\u{feff}\u{1f600}\r\n".as_bytes()),
    ];
    let keys = [&b""[..], b"\0\xff", b"0197a1b2-0000-7000-8000-000000000001"];
    let mut written = Written::new();
    for key in keys {
        let one = |value: &Bytes| NewRecord {
            partition: 1,
            key: Bytes::from_static(key),
            value: value.clone(),
        };
        scene.append(values.iter().map(one).collect(), &mut written).await?;
    }
    scene.holds(&from, &written).await
}

/// Times of a partition never run backwards.
pub(super) async fn times_do_not_run_backwards(scene: &Scene) -> Check {
    let mut written = Written::new();
    for call in 0..50 {
        scene.append(vec![record(2, call)], &mut written).await?;
    }
    let forwards =
        written.values().all(|records| records.windows(2).all(|pair| pair[0].time <= pair[1].time));
    ensure!(forwards, "a record is older than the one before it");
    Ok(())
}

/// Dropping the future changes nothing.
pub(super) async fn dropped_future(scene: &Scene) -> Check {
    let mut tail = scene.tail(&scene.ends().await?).await?;
    for round in 0..20 {
        drop(scene.start(vec![record(0, format!("dropped {round}"))]));
        let mut written = Written::new();
        scene.append(vec![record(0, format!("awaited {round}"))], &mut written).await?;
        let mut read = Written::new();
        while read.get(&0).map_or(0, Vec::len) < 2 {
            scene.next(&mut *tail, &mut read).await?;
        }
        let texts: Vec<_> =
            read[&0].iter().map(|record| String::from_utf8_lossy(&record.value)).collect();
        let expected = [format!("dropped {round}"), format!("awaited {round}")];
        ensure!(texts == expected, "expected {expected:?}, read {texts:?}");
    }
    Ok(())
}
