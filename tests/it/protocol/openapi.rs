//! The description of `/api/` for other people's tools: complete, and true.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::Value;
use server::config::Config;

use crate::http::ask;
use crate::served::{Served, serve};

async fn document(served: &Served) -> Value {
    let answer = ask("GET /api/openapi.json").of(served.addr).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

fn object(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let fields = value.as_object().expect("an object");
    fields.iter().map(|(name, value)| (name.as_str(), value))
}

/// Every operation: method, path, description.
fn operations(document: &Value) -> impl Iterator<Item = (String, &str, &Value)> {
    let paths = object(&document["paths"]);
    paths.flat_map(|(path, item)| {
        object(item).map(move |(method, operation)| (method.to_uppercase(), path, operation))
    })
}

#[tokio::test]
async fn every_route_is_described_with_every_status() {
    let served = serve(Config::default()).await;
    let document = document(&served).await;
    assert_eq!(document["openapi"], "3.1.0");
    let lines = operations(&document).map(|(method, path, operation)| {
        let statuses: Vec<_> = object(&operation["responses"]).map(|(status, _)| status).collect();
        format!("{method} {path}: {}\n", statuses.join(" "))
    });
    expect![[r#"
        POST /api/ack: 202 400 401 403 408 409 413 415 429
        GET /api/events: 200 400 401 403 409 429
        POST /api/messages: 202 400 401 403 408 409 413 415 429 503
        POST /api/next: 202 400 401 403 408 409 413 415 429 503
        GET /api/openapi.json: 200 400 429
        DELETE /api/session: 204 400 401 403 429
        POST /api/session: 201 400 403 429 503
        GET /api/stream: 200 400 401 403 409 429
        POST /api/ticket: 200 400 401 403 429
        GET /api/ws: 101 400 403 426 429
    "#]]
    .assert_eq(&lines.collect::<String>());
}

#[tokio::test]
async fn what_is_described_is_there() {
    let served = serve(Config::default()).await;
    let document = document(&served).await;
    for (method, path, operation) in operations(&document) {
        let answer = ask(&format!("{method} {path}")).of(served.addr).await;
        assert!(![404, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{method} {path} does not know {}", answer.status);
        if answer.status >= 400 {
            let content = object(&described["content"]).map(|(media_type, _)| media_type);
            assert_eq!(content.collect::<Vec<_>>(), ["application/problem+json"], "{path}");
        }
    }
}

#[tokio::test]
async fn no_route_stands_outside_of_the_description() {
    // Routes below /api/ are made by the same call that describes them.
    let router = include_str!("../../../server/src/router.rs");
    let made_by_hand = router.lines().filter(|line| line.contains("route(\"/api"));
    assert_eq!(made_by_hand.collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_scheme_is_known() {
    let served = serve(Config::default()).await;
    let document = document(&served).await;
    let mut references = BTreeSet::new();
    collect(&document, "$ref", &mut references);
    assert!(references.len() > 5, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let schemes = &document["components"]["securitySchemes"];
    let known: Vec<_> = object(schemes).map(|(name, _)| name).collect();
    assert_eq!(known, ["bearer", "cookie", "subprotocol"]);
    for requirement in document["security"].as_array().expect("a list") {
        assert!(object(requirement).all(|(name, _)| known.contains(&name)), "{requirement}");
    }
}

#[tokio::test]
async fn an_event_is_described_as_it_stands_in_streams_and_frames_and_no_parameter_can_be_null() {
    let served = serve(Config::default()).await;
    let document = document(&served).await;
    let stream = &document["paths"]["/api/stream"]["get"];
    let event = &stream["responses"]["200"]["content"]["text/event-stream"]["schema"];
    let payload = &event["properties"]["data"]["contentSchema"]["$ref"];
    assert_eq!(payload, "#/components/schemas/ServerFrame");
    let frames = document["components"]["schemas"]["ServerFrame"]["oneOf"].as_array();
    let event = serde_json::json!({ "$ref": "#/components/schemas/Event" });
    assert!(frames.is_some_and(|frames| frames.contains(&event)), "{frames:?}");
    for (_, _, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters {
            assert!(!parameter["schema"].to_string().contains("null"), "{parameter}");
        }
    }
}

fn collect<'a>(value: &'a Value, wanted: &str, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, wanted, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == wanted => {
                        found.insert(text);
                    }
                    _ => collect(value, wanted, found),
                }
            }
        }
        _ => {}
    }
}
