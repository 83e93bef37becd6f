//! The API documents on the command line.

use anyhow::Result;
use verbatim_schemas::documents;

/// The OpenAPI document.
pub fn openapi() -> Result<String> {
    Ok(serde_json::to_string_pretty(&documents::openapi())?)
}

/// The AsyncAPI document.
pub fn asyncapi() -> Result<String> {
    Ok(serde_json::to_string_pretty(&documents::asyncapi())?)
}
