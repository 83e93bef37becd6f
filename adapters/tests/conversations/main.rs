//! The embedded store of the timeline projector's state: the contract, and stores that break it.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod broken;

use std::sync::Arc;

use tempfile::TempDir;
use verbatim_adapters::embedded::{conversations::EmbeddedConversations, folder::DataFolder};
use verbatim_ports::{
    contract::conversations::conversations_contract, conversations::ConversationStore,
};

fn open(folder: &std::path::Path) -> EmbeddedConversations {
    let folder = Arc::new(DataFolder::lock(folder).unwrap());
    EmbeddedConversations::open(&folder).unwrap()
}

#[tokio::test]
async fn keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let open = async || Arc::new(open(folder.path())) as Arc<dyn ConversationStore>;
    conversations_contract(open).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract_on_threads() {
    let folder = TempDir::new().unwrap();
    let open = async || Arc::new(open(folder.path())) as Arc<dyn ConversationStore>;
    conversations_contract(open).await.unwrap();
}
