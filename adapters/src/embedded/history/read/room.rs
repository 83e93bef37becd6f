//! How much an answer may hold.

use serde::Serialize;
use verbatim_ports::StoreError;

use crate::embedded::sqlite::Outcome;

/// Room for items and for bytes of their JSON.
pub(super) struct Room {
    items: usize,
    bytes: usize,
    /// The first is taken however large it is.
    empty: bool,
}

impl Room {
    pub(super) fn new(limit: u32, max_bytes: usize) -> Self {
        Self { items: limit as usize, bytes: max_bytes, empty: true }
    }

    /// Whether there may be room for one more.
    pub(super) fn is_left(&self) -> bool {
        self.items > 0
    }

    /// Takes the room of an item, where there is enough.
    pub(super) fn take<T: Serialize>(&mut self, item: &T) -> Outcome<bool> {
        let bytes = length(item)?;
        Ok(self.take_bytes(bytes))
    }

    /// Takes the room of an item of so many bytes, where there is enough.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> bool {
        if self.items == 0 || (bytes > self.bytes && !self.empty) {
            return false;
        }
        self.items -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.empty = false;
        true
    }
}

fn length<T: Serialize>(item: &T) -> Outcome<usize> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, item)
        .map_err(|error| StoreError::Corrupt(format!("history holds no valid JSON: {error}")))?;
    Ok(count.0)
}
