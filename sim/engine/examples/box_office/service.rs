//! A box office: an ordinary axum service that knows nothing of any simulation.
//!
//! `POST /seats` with an order's number sells one seat and answers with its number; 410 when all
//! are gone. The charge takes a moment, and other orders come in meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};

/// What the bank takes to answer.
const CHARGE: Duration = Duration::from_millis(5);

/// How the box office sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selling {
    /// Looks for a free seat, charges, and then writes the seat down.
    Hasty,
    /// Writes the seat down under the order's number, and then charges.
    Careful,
}

/// Who has which seat, by the order's number.
type Sold = Arc<Mutex<BTreeMap<String, usize>>>;

/// A box office that sells so many seats.
pub(crate) fn router(seats: usize, selling: Selling) -> Router {
    let sell = move |State(sold): State<Sold>, Json(order): Json<String>| async move {
        let seat = match selling {
            Selling::Hasty => free(&sold),
            Selling::Careful => book(&sold, &order),
        };
        if seat >= seats {
            return Err(StatusCode::GONE);
        }
        tokio::time::sleep(CHARGE).await;
        lock(&sold).entry(order).or_insert(seat);
        Ok(Json(seat))
    };
    Router::new().route("/seats", post(sell)).with_state(Sold::default())
}

fn free(sold: &Sold) -> usize {
    lock(sold).len()
}

fn book(sold: &Sold, order: &str) -> usize {
    let mut sold = lock(sold);
    let next = sold.len();
    *sold.entry(order.to_owned()).or_insert(next)
}

fn lock(sold: &Sold) -> std::sync::MutexGuard<'_, BTreeMap<String, usize>> {
    sold.lock().unwrap_or_else(PoisonError::into_inner)
}
