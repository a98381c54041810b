//! What GitHub would do with Markdown: which of a text's characters are more than shown.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// HTML that our own texts hold.
const OWN: [&str; 2] = ["<!-- aws-iam-gitops ", "</"];
const OWN_TAGS: [&str; 3] = ["<details>", "<summary>", "<br>"];

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
                let html = html.trim();
                let is_own =
                    OWN.iter().any(|own| html.starts_with(own)) || OWN_TAGS.contains(&html);
                assert!(is_own, "{html}\n{markdown}");
            }
            Event::Text(text) if !is_code => {
                assert!(!text.contains(['@', '#']), "{text}\n{markdown}");
                assert!(!text.contains("://"), "{text}\n{markdown}");
            }
            _ => {}
        }
    }
}
