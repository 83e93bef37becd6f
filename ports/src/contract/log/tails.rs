//! Reading while records come.

use bytes::Bytes;
use futures_util::{FutureExt, future::try_join};
use verbatim_schemas::bounds::EVENT_BYTES;

use super::scene::{Scene, Written, record};
use crate::{
    contract::breach::{Check, ensure},
    log::{BATCH_BYTES, BATCH_RECORDS, NewRecord, Stream},
};

/// A tail at the end waits, and gets what comes.
pub(super) async fn waits_for_more(scene: &Scene) -> Check {
    let mut tail = scene.tail(&scene.ends().await?).await?;
    for round in 0..20 {
        let waiting = tail.next().now_or_never();
        ensure!(waiting.is_none(), "a tail at the end had something: {waiting:?}");
        let (mut written, mut read) = (Written::new(), Written::new());
        // The tail is asked first, so it really waits.
        let next = scene.next(&mut *tail, &mut read);
        try_join(next, scene.append(vec![record(round % 3, round)], &mut written)).await?;
        scene.reads(&mut *tail, read, &written).await?;
    }
    Ok(())
}

/// An offset beyond the end is waited for: nothing before it comes.
pub(super) async fn waits_beyond_the_end(scene: &Scene) -> Check {
    let beyond = scene.end(0).await? + 5;
    let mut tail = scene.tail(&[(0, beyond)]).await?;
    let mut written = Written::new();
    for round in 0..12 {
        let waiting = tail.next().now_or_never();
        let early = written.values().flatten().all(|record| record.offset < beyond);
        ensure!(!early || waiting.is_none(), "a record before the offset came: {waiting:?}");
        if !early {
            break;
        }
        scene.append(vec![record(0, round)], &mut written).await?;
    }
    let mut tail = scene.tail(&[(0, beyond)]).await?;
    scene.append((0..3).map(|number| record(0, number)).collect(), &mut written).await?;
    written.values_mut().for_each(|records| records.retain(|record| record.offset >= beyond));
    scene.reads(&mut *tail, Written::new(), &written).await
}

/// Tails that begin at any moment while appends go on miss nothing and get nothing twice.
pub(super) async fn joins_appends(scene: &Scene) -> Check {
    const ROUNDS: u32 = 60;
    let from = scene.ends().await?;
    let (started, _) = tokio::sync::watch::channel(0);
    let appends = async {
        let mut written = Written::new();
        for round in 0..ROUNDS {
            let one = |number: u32| record(number % 3, format!("{round}: {number}"));
            scene.append((0..30).map(one).collect(), &mut written).await?;
            started.send_replace(round);
        }
        Ok(written)
    };
    let joins = async {
        let mut tails = Vec::new();
        for join in 0..ROUNDS / 5 {
            let mut rounds = started.subscribe();
            let reached = rounds.wait_for(|round| *round >= join * 5);
            let reached = scene.within("appends did not go on", reached).await?;
            ensure!(reached.is_ok(), "appends ended");
            drop(reached);
            // By turns from where all began, with a batch read at once, and from where the log ends
            // just now.
            let from_the_first = join % 2 == 0;
            let from = if from_the_first { from.clone() } else { scene.ends().await? };
            let mut tail = scene.tail(&from).await?;
            let mut read = Written::new();
            if from_the_first {
                scene.next(&mut *tail, &mut read).await?;
            }
            tails.push((from, tail, read));
        }
        Ok(tails)
    };
    let (written, tails) = try_join(appends, joins).await?;
    for (from, mut tail, read) in tails {
        let mut expected = written.clone();
        for (partition, first) in from {
            if let Some(records) = expected.get_mut(&partition) {
                records.retain(|record| record.offset >= first);
            }
        }
        scene.reads(&mut *tail, read, &expected).await?;
    }
    scene.holds(&from, &written).await
}

/// Batches stay within their bounds however much there is.
pub(super) async fn bounded_batches(scene: &Scene) -> Check {
    let from = scene.ends().await?;
    let mut written = Written::new();
    for call in 0..5 {
        let one = |number| record(0, format!("{call}: {number}"));
        scene.append((0..BATCH_RECORDS / 2).map(one).collect(), &mut written).await?;
    }
    let large = Bytes::from(vec![7; EVENT_BYTES]);
    let one = |_| NewRecord { partition: 1, key: Bytes::new(), value: large.clone() };
    for _ in 0..6 {
        let count = BATCH_BYTES / EVENT_BYTES / 4;
        scene.append((0..count).map(one).collect(), &mut written).await?;
    }
    // Each batch is checked as it is read; by itself, no partition makes room for another.
    for (partition, first) in from {
        let only = written.remove(&partition).map(|records| (partition, records));
        scene.holds(&[(partition, first)], &only.into_iter().collect()).await?;
    }
    Ok(())
}

/// Dropping `next` loses nothing, whether there was something or not.
pub(super) async fn dropped_next(scene: &Scene) -> Check {
    let from = scene.ends().await?;
    let mut written = Written::new();
    // Old enough that they may have to be fetched, which a drop may interrupt.
    for call in 0..6 {
        let one = |number: u32| record(number % 3, format!("{call}: {number}"));
        scene.append((0..200).map(one).collect(), &mut written).await?;
    }
    let mut tail = scene.tail(&from).await?;
    let mut read = Written::new();
    for round in 0..60 {
        if round % 2 == 0 {
            scene.append(vec![record(round % 3, format!("later {round}"))], &mut written).await?;
        }
        for _ in 0..round % 4 {
            tokio::task::yield_now().await;
        }
        if let Some(batch) = tail.next().now_or_never() {
            let batch = batch.map_err(|error| format!("a tail failed: {error}"))?;
            read.entry(batch.partition).or_default().extend(batch.records);
        }
    }
    scene.reads(&mut *tail, read, &written).await
}

/// What one tail reads, another still gets.
pub(super) async fn independent(scene: &Scene) -> Check {
    let from = scene.ends().await?;
    let mut written = Written::new();
    let mut one = scene.tail(&from).await?;
    let mut other = scene.tail(&from).await?;
    for round in 0..10 {
        let records = scene.partitions().map(|partition| record(partition, round)).collect();
        scene.append(records, &mut written).await?;
    }
    scene.reads(&mut *one, Written::new(), &written).await?;
    drop(one);
    scene.reads(&mut *other, Written::new(), &written).await
}

/// A partition that always has more does not starve another.
pub(super) async fn fair(scene: &Scene) -> Check {
    /// Far more than any tail should fetch ahead of one partition.
    const BATCHES: usize = 200;
    let from = scene.ends().await?;
    let busy = |count| (0..count).map(|number| record(0, number)).collect::<Vec<_>>();
    let mut written = Written::new();
    for _ in 0..4 {
        scene.append(busy(BATCH_RECORDS), &mut written).await?;
    }
    scene.append(vec![record(1, "quiet")], &mut written).await?;
    let mut tail = scene.tail(&from).await?;
    let mut read = Written::new();
    for _ in 0..BATCHES {
        let before = read.get(&0).map_or(0, Vec::len);
        if scene.next(&mut *tail, &mut read).await? == 1 {
            return scene.reads(&mut *tail, read, &written).await;
        }
        let came = read.get(&0).map_or(0, Vec::len) - before;
        scene.append(busy(came), &mut written).await?;
    }
    Err(format!("{BATCHES} batches of one partition came before one of another"))
}

/// A record of one stream is not on the other.
pub(super) async fn streams_apart(scene: &Scene) -> Check {
    let stream = match scene.stream {
        Stream::Events => Stream::Timeline,
        Stream::Timeline => Stream::Events,
    };
    let other = Scene { log: scene.log.clone(), stream, patience: scene.patience };
    let (here, there) = (scene.ends().await?, other.ends().await?);
    let (mut on_here, mut on_there) = (Written::new(), Written::new());
    for round in 0..10 {
        scene.append(vec![record(round % 3, format!("here {round}"))], &mut on_here).await?;
        other.append(vec![record(round % 3, format!("there {round}"))], &mut on_there).await?;
    }
    scene.holds(&here, &on_here).await?;
    other.holds(&there, &on_there).await
}
