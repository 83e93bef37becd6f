//! Stores and services put together, and the bodies of the commands that read the data folder.

use std::sync::Arc;

use crate::cli::{DataArgs, RebuildArgs, ReplayArgs};
use crate::serve::{Services, Shell};

/// Opens the stores, starts the services, and returns their routes.
pub async fn start(_shell: Arc<Shell>) -> anyhow::Result<Services> {
    anyhow::bail!("the services are not wired yet")
}

/// `verbatim replay`: the log as JSON lines on standard output.
pub async fn replay(_args: ReplayArgs) -> anyhow::Result<()> {
    anyhow::bail!("replay is not wired yet")
}

/// `verbatim projection status`
pub async fn projection_status(_args: DataArgs) -> anyhow::Result<()> {
    anyhow::bail!("projections are not wired yet")
}

/// `verbatim projection rebuild`
pub async fn projection_rebuild(_args: RebuildArgs) -> anyhow::Result<()> {
    anyhow::bail!("projections are not wired yet")
}

/// The OpenAPI document.
pub fn openapi() -> anyhow::Result<String> {
    anyhow::bail!("the OpenAPI document is not wired yet")
}

/// The AsyncAPI document.
pub fn asyncapi() -> anyhow::Result<String> {
    anyhow::bail!("the AsyncAPI document is not wired yet")
}
