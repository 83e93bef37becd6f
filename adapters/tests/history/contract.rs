//! What every history has to pass.

use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use verbatim_ports::contract::history::{History, history_contract};

use crate::support::{PATIENCE, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let folders: Mutex<Vec<(usize, TempDir)>> = Mutex::default();
    let place = |history: &Arc<dyn History>| Arc::as_ptr(history).cast::<()>().addr();
    let empty = async || {
        let folder = TempDir::new().unwrap();
        let history: Arc<dyn History> = Arc::new(open(folder.path()));
        folders.lock().unwrap().push((place(&history), folder));
        history
    };
    let again = async |history: Arc<dyn History>| {
        let mut folders = folders.lock().unwrap();
        let (at, folder) = folders.iter_mut().rfind(|(at, _)| *at == place(&history)).unwrap();
        // The folder is locked as long as the history lives.
        drop(history);
        let history: Arc<dyn History> = Arc::new(open(folder.path()));
        *at = place(&history);
        history
    };
    history_contract(empty, again, PATIENCE).await.unwrap();
}
