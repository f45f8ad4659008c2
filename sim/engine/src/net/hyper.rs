//! A connector for hyper-util's clients, which keep connections in a pool and choose the host by the URI of each request.
//!
//! It dials nothing by address: the host of a URI is the name of a simulated server.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::{Network, PORT, SimConnector, SimStream};

/// Opens connections for `hyper_util::client::legacy::Client` and for other libraries that dial by URI. The host of a
/// URI is the name of a server; a port other than [`PORT`] is an error.
///
/// ```
/// use hyper_util::client::legacy::Client as Http;
/// use hyper_util::rt::TokioExecutor;
/// use racetrack_sim::Client;
///
/// async fn status(ann: Client<u16>) -> Result<(), Box<dyn std::error::Error>> {
///     let http = Http::builder(TokioExecutor::new()).build(ann.hyper_connector());
///     let request = hyper::Request::get("http://shop/").body(String::new())?;
///     ann.record(http.request(request).await?.status().as_u16());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct HyperConnector {
    network: Network,
    owner: String,
}

impl HyperConnector {
    /// The connections belong to `owner`, as those of a [`SimConnector`] do.
    pub fn new(network: Network, owner: impl Into<String>) -> Self {
        Self { network, owner: owner.into() }
    }

    /// A connector to the server that a URI names.
    fn connector(&self, uri: &Uri) -> io::Result<SimConnector> {
        let invalid = |what: String| Err(io::Error::new(ErrorKind::InvalidInput, what));
        let Some(server) = uri.host() else {
            return invalid(format!("{uri} names no server: write http://SERVER/.."));
        };
        match uri.port_u16() {
            None | Some(PORT) => {
                let target = (server.to_owned(), PORT);
                Ok(SimConnector::new(self.network.clone(), target, &self.owner))
            }
            Some(port) => invalid(format!("{server} listens on port {PORT}, not on {port}")),
        }
    }
}

impl Service<Uri> for HyperConnector {
    type Response = TokioIo<SimStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.connector(&uri);
        Box::pin(async move { Ok(TokioIo::new(connector?.connect().await?)) })
    }
}

impl Connection for SimStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
