//! One issuer's keys, kept fresh in the background.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use verbatim_schemas::Timestamp;

use super::fetch::{self, FETCH_TIMEOUT, FetchError};
use super::keys::KeySet;
use crate::config::{Algorithm, KeySource};

/// How often a source that never answered is tried.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// One issuer's keys.
///
/// A request that meets an unknown key id asks for a reading and waits for it; such readings are at
/// least `cooldown` apart, whatever clients send. [`KeyStore::keep_fresh`] does all reading, so that
/// a client that goes away cannot break one off. A failing reading keeps the old keys.
pub struct KeyStore {
    source: KeySource,
    algorithms: Vec<Algorithm>,
    client: Option<reqwest::Client>,
    cooldown: Duration,
    keys: RwLock<Option<Arc<KeySet>>>,
    asked: Mutex<Asked>,
    ask: Notify,
    readings: watch::Sender<u64>,
}

#[derive(Default)]
struct Asked {
    last: Option<Timestamp>,
    running: bool,
}

impl KeyStore {
    /// A store without keys; [`KeyStore::load`] reads them.
    pub fn new(
        source: KeySource,
        algorithms: Vec<Algorithm>,
        cooldown: Duration,
    ) -> Result<Self, FetchError> {
        let client = match &source {
            KeySource::Url(url) => Some(fetch::client(url)?),
            _ => None,
        };
        Ok(Self {
            source,
            algorithms,
            client,
            cooldown,
            keys: RwLock::new(None),
            asked: Mutex::default(),
            ask: Notify::new(),
            readings: watch::Sender::new(0),
        })
    }

    /// The keys as last read; `None` while no reading has succeeded.
    pub fn keys(&self) -> Option<Arc<KeySet>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the source can have other keys later.
    pub fn can_change(&self) -> bool {
        !matches!(self.source, KeySource::Secret(_))
    }

    /// Whether the keys are at a URL, which may be away for a while at start.
    pub fn is_remote(&self) -> bool {
        matches!(self.source, KeySource::Url(_))
    }

    /// Where the keys come from, for messages.
    pub fn place(&self) -> String {
        match &self.source {
            KeySource::Secret(_) => "a shared secret".to_owned(),
            KeySource::File(path) => path.display().to_string(),
            KeySource::Url(url) => url.to_string(),
        }
    }

    /// Reads the source once. An error leaves the keys as they were.
    pub async fn load(&self) -> Result<(), FetchError> {
        let keys = fetch::read(&self.source, self.client.as_ref(), &self.algorithms).await?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
        Ok(())
    }

    /// Reads the source again every `interval` and when asked, for ever. Run it as a task of its
    /// own and drop it to stop.
    pub async fn keep_fresh(&self, interval: Duration) {
        if !self.can_change() {
            return;
        }
        loop {
            let pause = if self.keys().is_some() { interval } else { interval.min(FIRST_RETRY) };
            let _ = tokio::time::timeout(pause, self.ask.notified()).await;
            if let Err(error) = self.load().await {
                let error = anyhow::Error::new(error);
                tracing::warn!(keys = self.place(), "keeping the old keys: {error:#}");
            }
            self.asked().running = false;
            self.readings.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Asks for a reading because a token names an unknown key, and waits for its end. Returns at
    /// once, with false, when the last one is less than the cooldown ago.
    pub async fn read_again(&self, now: Timestamp) -> bool {
        if !self.can_change() {
            return false;
        }
        let mut readings = self.readings.subscribe();
        if !self.may_ask(now) {
            return false;
        }
        let patience = FETCH_TIMEOUT + Duration::from_secs(1);
        matches!(tokio::time::timeout(patience, readings.changed()).await, Ok(Ok(())))
    }

    /// Joins the running reading, or starts one when the cooldown is over.
    fn may_ask(&self, now: Timestamp) -> bool {
        let mut asked = self.asked();
        if asked.running {
            return true;
        }
        let cooldown = u64::try_from(self.cooldown.as_millis()).unwrap_or(u64::MAX);
        // A clock that was set back must not stop readings for long.
        let too_soon = |last: Timestamp| {
            now.millis_since(last) < cooldown && last.millis_since(now) < cooldown
        };
        if asked.last.is_some_and(too_soon) {
            return false;
        }
        *asked = Asked { last: Some(now), running: true };
        self.ask.notify_one();
        true
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
