//! Histories in folders of their own.

use std::{path::Path, sync::Arc, time::Duration};

use verbatim_adapters::embedded::{folder::DataFolder, history::History};
use verbatim_ports::contract::story::LAYOUT;

/// Far longer than anything takes; nothing waits so long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the history of a folder.
pub fn open(path: &Path) -> History {
    History::open(Arc::new(DataFolder::lock(path).unwrap()), LAYOUT).unwrap()
}
