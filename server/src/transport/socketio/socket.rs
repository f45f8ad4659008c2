//! How the engine gets a WebSocket: what passes is counted, and from an old client changed.
//!
//! ```text
//!   client  ==>  namespace_query, of Engine.IO 3  ==>  engine
//!           <==  departures                       <==
//! ```

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use hyper_util::rt::TokioIo;
use socketioxide::service::SocketIoService;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

use super::departures::Written;
use super::namespace_query::Frames;
use super::polling::Presence;
use super::{NotSocketIo, version3};

type Engine = SocketIoService<NotSocketIo>;

/// Opens a connection that begins with a WebSocket. The engine answers the request, and is given the
/// stream behind that.
pub(super) async fn open(
    engine: &Engine,
    presence: Arc<Presence>,
    mut request: Request,
) -> Response {
    let mut engine = engine.clone();
    let upgraded = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let handshake = Request::from_parts(parts.clone(), ());
    let Ok(response) = Service::call(&mut engine, Request::from_parts(parts, body)).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        tokio::spawn(async move {
            // Fails where the client went away before it was answered.
            let Ok(upgraded) = upgraded.await else { return };
            give(&mut engine, TokioIo::new(upgraded), presence, handshake).await;
        });
    }
    response.map(Body::new)
}

/// Gives the engine a stream that was upgraded for this request.
pub(super) async fn give<Io>(
    engine: &mut Engine,
    io: Io,
    presence: Arc<Presence>,
    request: Request<()>,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let is_version3 = version3::is_meant(request.uri());
    let stream = Written::new(io, presence);
    // Fails only for a request that is not one of Engine.IO, which was answered before.
    let _begun = match is_version3 {
        true => Service::call(engine, (Frames::new(stream), request)).await,
        false => Service::call(engine, (stream, request)).await,
    };
}
