//! Reading a server's `/metrics`.

use std::net::TcpListener;

use anyhow::Result;

/// An address that is free now, for `VERBATIM_METRICS_LISTEN`.
pub fn free() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The sum of the series of that name that have these labels, whatever others they have.
pub fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let series = text.lines().filter(|line| {
        let ends = line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        ends && labels.iter().all(|label| line.contains(label))
    });
    series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).reduce(|a, b| a + b)
}

/// The sum of a metric's series at an address, 0 where there are none yet.
pub async fn read(address: &str, name: &str) -> Result<f64> {
    let text = reqwest::get(format!("http://{address}/metrics")).await?.text().await?;
    Ok(value(&text, name, &[]).unwrap_or(0.0))
}
