//! The metrics that dashboards read.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use support::{World, chaos::Chaos, run, story::Author};

/// Keeps counters and gauges by name, projection and partition.
#[derive(Default)]
struct Book(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Book {
    fn value(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<_> = key.labels().map(|label| label.value()).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn read(&self, name: &str) -> u64 {
        self.0.lock().unwrap()[name].load(Ordering::SeqCst)
    }
}

impl Recorder for Book {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.value(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.value(key))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn lag_and_applied_rulings_are_measured_per_projection_and_partition() {
    let book = Book::default();
    metrics::with_local_recorder(&book, || {
        run(async {
            let world = World::new();
            let mut author = Author::default();
            author.chat(&world.log, 4);
            let process = world.start(&Chaos::calm(), &["timeline", "history"]);
            world.until_in_history().await;
            process.handle.pause("history").await.unwrap();
            author.more(&world.log, 0, 7);
            world.until_saved().await;
            process.until_state("history", 0, |s| s.lag == Some(7)).await;
            let lag = book.read("verbatim_projection_lag_records history 0");
            assert_eq!(f64::from_bits(lag).to_bits(), 7f64.to_bits());
            assert_eq!(book.read("verbatim_projection_applied_total timeline 0"), 12);
            assert_eq!(book.read("verbatim_projection_applied_total history 0"), 5);
            process.handle.stop().await;
            let lag = book.read("verbatim_projection_lag_records history 0");
            assert_eq!(lag, 0, "who owns a partition shows its lag");
        });
    });
}
