//! Signals and draining.
//!
//! The first SIGTERM or SIGINT begins the shutdown: everyone who holds a [`Shutdown`] sees it. A
//! second one ends the process at once. SIGHUP asks to read certificates again.

use std::io;

use tokio::sync::watch;

/// The exit code after a second signal.
const CUT_SHORT: i32 = 130;

/// Begins the shutdown.
#[derive(Debug, Clone)]
pub struct ShutdownTrigger(watch::Sender<bool>);

/// Shows whether the shutdown has begun.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A trigger and the first of its watchers.
pub fn channel() -> (ShutdownTrigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (ShutdownTrigger(sender), Shutdown(receiver))
}

impl ShutdownTrigger {
    /// Begins the shutdown; doing it twice is harmless.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it begins. A trigger that is gone counts as begun.
    pub async fn begun(&mut self) {
        let _ = self.0.wait_for(|begun| *begun).await;
    }

    /// The plain receiver, for services that know nothing of this crate; true means begun.
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }
}

/// Installs the handlers and returns the task that acts on signals; run it until the process ends.
#[cfg(unix)]
pub fn on_signals(
    trigger: ShutdownTrigger,
    mut on_hangup: impl FnMut() + Send + 'static,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        let mut begun = false;
        loop {
            tokio::select! {
                _ = hangup.recv() => { on_hangup(); continue }
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if begun {
                tracing::warn!("a second signal: leaving at once");
                std::process::exit(CUT_SHORT);
            }
            begun = true;
            tracing::info!("shutting down; a second signal leaves at once");
            trigger.begin();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_sees_it_begin() {
        let (trigger, mut shutdown) = channel();
        let (mut other, receiver) = (shutdown.clone(), shutdown.receiver());
        assert!(!shutdown.has_begun() && !*receiver.borrow());
        let waiting = tokio::spawn(async move { other.begun().await });
        trigger.begin();
        trigger.begin();
        waiting.await.unwrap();
        shutdown.begun().await;
        assert!(shutdown.has_begun() && *receiver.borrow());
    }

    #[tokio::test]
    async fn a_lost_trigger_counts_as_begun() {
        let (trigger, mut shutdown) = channel();
        drop(trigger);
        shutdown.begun().await;
    }
}
