//! Metrics as Prometheus text, on an address of their own.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::process;

/// Buckets of everything measured in seconds: from a tenth of a millisecond to ten seconds.
const SECONDS: [f64; 14] =
    [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How often the recorder tidies what it holds, whether or not anyone asks for it.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why metrics cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The recorder cannot be built.
    #[error("the metrics recorder cannot be built")]
    Build(#[from] BuildError),
    /// Another recorder is installed.
    #[error("another metrics recorder is installed")]
    Taken,
}

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Makes the recorder the process's own. Until then the `metrics` macros do nothing.
    pub fn install() -> Result<Self, MetricsError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Taken)?;
        Ok(Self(handle))
    }

    /// Everything as text, the process's own numbers included.
    pub fn render(&self) -> String {
        process::record();
        self.0.render()
    }

    /// Tidies the recorder for ever; run it as a task.
    pub async fn keep_tidy(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.0.run_upkeep();
        }
    }

    /// `GET /metrics`.
    pub fn router(self) -> Router {
        let answer = async move || {
            let text = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, text)], self.render())
        };
        Router::new().route("/metrics", get(answer))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn numbers_are_rendered() {
        let metrics = Metrics::install().unwrap();
        assert!(matches!(Metrics::install(), Err(MetricsError::Taken)));
        metrics::counter!("verbatim_test_total").increment(3);
        metrics::histogram!("verbatim_test_seconds").record(0.002);
        let request = http::Request::get("/metrics").body(Body::empty()).unwrap();
        let response = metrics.router().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains("verbatim_test_total 3"), "{text}");
        assert!(text.contains("verbatim_test_seconds_bucket{le=\"0.0025\"} 1"), "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains("process_resident_memory_bytes "), "{text}");
            assert!(text.contains("process_open_fds "), "{text}");
        }
    }
}
