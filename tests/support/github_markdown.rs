//! What GitHub would do with Markdown: which of a text's characters are more than shown.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// HTML that our own texts hold.
const OWN: [&str; 4] = ["<details>", "</details>", "<summary>", "</summary>"];

/// Characters that begin what acts outside of code.
const ACTING: [char; 4] = ['<', '@', '#', '&'];

/// Fails the test if anything in it mentions somebody, refers to an issue, links to another place than
/// a run, embeds an image, or is HTML that is not our own.
#[track_caller]
pub fn assert_inert(markdown: &str) {
    let mut is_code = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_GFM | Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => is_code = true,
            Event::End(TagEnd::CodeBlock) => is_code = false,
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(dest_url.contains("/o/n/actions/runs/"), "{dest_url}\n{markdown}");
            }
            Event::Start(Tag::Image { dest_url, .. }) => panic!("{dest_url}\n{markdown}"),
            Event::Html(html) | Event::InlineHtml(html) => {
                let rest = OWN.iter().fold(html.to_string(), |rest, own| rest.replace(own, ""));
                let is_own = rest.starts_with("<!-- aws-iam-gitops ") || !rest.contains(ACTING);
                assert!(is_own, "{html}\n{markdown}");
            }
            Event::Text(text) if !is_code => {
                assert!(!text.contains(ACTING), "{text}\n{markdown}");
                assert!(!text.contains("://"), "{text}\n{markdown}");
            }
            _ => {}
        }
    }
}
