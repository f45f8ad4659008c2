//! The interface below `/api/` as an OpenAPI 3.1 document, made from the routes and the types.
//!
//! Each handler says what is its own. What every request may be answered, because it stands in
//! `front` or comes with having a body or a session, is added here, so that it is said once. All
//! refusals are problems (RFC 9457).

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Response,
    ResponseBuilder, Type,
};
use utoipa::{Modify, OpenApi as Description};

use crate::router::api;
use crate::transport::credentials::COOKIE_NAME;
use protocol::{ClientEvent, Problem, ServerFrame};

/// What is true of the whole interface. The types of the WebSocket stand here because its route
/// cannot name them: OpenAPI knows no frames.
#[derive(Description)]
#[openapi(
    info(
        title = "racetrack",
        description = "Random chat. A session's mailbox holds what a person is told; every \
                       transport reads the same mailbox. `after` is a cursor: it says which event \
                       arrived last, and the server forgets everything up to it."
    ),
    components(schemas(ClientEvent, ServerFrame, Problem)),
    security(("bearer" = []), ("cookie" = []), ("subprotocol" = [])),
    modifiers(&Credentials)
)]
struct Base;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, api: &mut OpenApi) {
        let components = api.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(COOKIE_NAME));
        let subprotocol = ApiKey::Header(ApiKeyValue::with_description(
            "Sec-WebSocket-Protocol",
            "For pages, which cannot set the headers of a WebSocket: `racetrack, \
             racetrack.token.TOKEN`",
        ));
        components.add_security_scheme("bearer", bearer);
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
        components.add_security_scheme("subprotocol", SecurityScheme::ApiKey(subprotocol));
    }
}

/// What the document begins with, before any route.
pub(crate) fn base() -> OpenApi {
    Base::openapi()
}

/// `GET /api/openapi.json`
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    summary = "This document",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(crate) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// The document depends on nothing but the program.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document = api().into_openapi();
    for (path, item) in &mut document.paths.paths {
        add_what_all_may_be_answered(path, item);
    }
    let mut document = serde_json::to_value(document).expect("a description is plain data");
    describe_stream(&mut document);
    describe_frames(&mut document);
    Bytes::from(document.to_string())
});

/// Says what an event of the stream is made of, by the names that it has there. OpenAPI 3.1 has no
/// word for a stream, and the types of the document none for what is in a text.
fn describe_stream(document: &mut Value) {
    let events = "/paths/~1api~1stream/get/responses/200/content/text~1event-stream/schema";
    let events = document.pointer_mut(events).expect("the stream is described by its route");
    *events = json!({
        "type": "object",
        "description": "Each event of the stream",
        "properties": {
            "id": { "type": "string", "description": "The place of the event; none of a refusal" },
            "event": { "type": "string", "description": "`refused`; none of an event" },
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": { "$ref": "#/components/schemas/ServerFrame" },
            },
        },
        "required": ["data"],
    });
}

/// Says that an event is a frame as it stands: of one variant alone, the types of the document cannot
/// say that it has no `type` of its own.
fn describe_frames(document: &mut Value) {
    let event = json!({ "$ref": "#/components/schemas/Event" });
    let frames = document.pointer_mut("/components/schemas/ServerFrame/oneOf");
    let frames = frames.and_then(Value::as_array_mut).expect("a frame is one of several");
    let wrapped = frames.iter_mut().find(|frame| frame["allOf"][0]["$ref"] == event["$ref"]);
    *wrapped.expect("an event is one of the frames") = event;
}

fn add_what_all_may_be_answered(path: &str, item: &mut PathItem) {
    let opens_socket = path == "/api/ws";
    let reading = [(&mut item.get, opens_socket)];
    let changing = [(&mut item.post, true), (&mut item.delete, true)];
    for (operation, by_own_pages_only) in reading.into_iter().chain(changing) {
        let Some(operation) = operation else { continue };
        add(operation, 400, "The query, the body, a header or the Host is not understood");
        let by_session = operation.security.is_none();
        if by_own_pages_only || by_session {
            add(
                operation,
                403,
                "A page of an origin that is not allowed, or a cookie that does not count",
            );
        }
        if operation.request_body.is_some() {
            add(operation, 408, "The body took too long");
            add(operation, 413, "The body or the message is too long");
            add(operation, 415, "The body is not JSON, or encoded");
        }
        add(operation, 429, "Too fast, or too many connections of one address");
        if operation.security.is_none() && !opens_socket {
            add(operation, 401, "No session, or one that is not known any more");
        }
        for (status, response) in &mut operation.responses.responses {
            if let (true, RefOr::T(response)) = (status.as_str() >= "400", response) {
                *response = problem(status, &response.description);
            }
        }
    }
}

fn add(operation: &mut Operation, status: u16, description: &str) {
    let response = ResponseBuilder::new().description(description).build();
    operation.responses.responses.entry(status.to_string()).or_insert_with(|| response.into());
}

/// A refusal; the server says when to come back where that makes sense.
fn problem(status: &str, description: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content);
    if matches!(status, "429" | "503") {
        let seconds = HeaderBuilder::new()
            .description(Some("Seconds until it may be tried again"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)));
        response = response.header("Retry-After", seconds.build());
    }
    response.build()
}
