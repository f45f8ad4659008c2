//! What every page of this crate is: one file that holds its style, script and pictures itself and
//! asks for nothing from anywhere, which a policy in its head has the browser see to. The palette
//! and the plain elements look alike on all of them; what else a page needs it brings along.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");

/// The page, from `<!DOCTYPE html>` to its end. `style` comes behind the style of all pages;
/// without a `script`, none may run.
pub(crate) fn page(title: &str, style: &str, script: Option<&str>, content: &Markup) -> Markup {
    let scripts = if script.is_some() { " script-src 'unsafe-inline';" } else { "" };
    let policy = format!("default-src 'none'; style-src 'unsafe-inline';{scripts} img-src data:");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body {
                main { (content) }
                @if let Some(script) = script { script { (PreEscaped(script)) } }
            }
        }
    }
}
