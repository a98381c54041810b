//! Refuses XML answers that end before they are complete.
//!
//! The SDK takes the end of the text for the end of all that is open: a listing that a proxy cut
//! short would be a shorter listing, and what is missing from it would look deleted. JSON needs no
//! such care, since its parser insists on the end.

use aws_sdk_iam::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;

/// For the clients of services that answer in XML.
#[derive(Debug)]
pub(super) struct WholeAnswers;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_success = context.output_or_error().is_ok();
        let body = context.response().body().bytes();
        if is_success && body.is_some_and(|body| !is_whole(body)) {
            return Err("the answer ends in the middle".into());
        }
        Ok(())
    }
}

/// Whether the last tag closes the first element.
fn is_whole(xml: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(xml) else { return false };
    let root = text.split('<').find(|tag| tag.starts_with(|c: char| c.is_ascii_alphabetic()));
    let root = root.and_then(|tag| tag.split(|c: char| c.is_whitespace() || c == '>').next());
    let last = text.trim_end().rsplit_once("</").map(|(_, tag)| tag.trim_end_matches('>').trim());
    text.trim_end().ends_with('>') && root.is_some() && root == last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_whole_only_with_its_last_tag() {
        let answer = "<?xml version=\"1.0\"?>\n<A x=\"y\">\n<B><A>1</A></B><C/></A>\n";
        assert!(is_whole(answer.as_bytes()));
        let end = answer.trim_end().len();
        for length in (0..end).filter(|length| !answer[..*length].ends_with("</A>")) {
            assert!(!is_whole(&answer.as_bytes()[..length]), "{}", &answer[..length]);
        }
        assert!(!is_whole(b"\xff"));
    }
}
