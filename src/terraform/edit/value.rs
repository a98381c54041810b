//! Makes an expression mean a value by changing as little of its text as possible.

use std::ops::Range;

use super::super::format;
use super::super::node::{Content, JsonText, Member, Node};
use super::compare::{
    Match, Meaning, Place, View, is_same, json_within, matches, member_is_nothing,
};
use super::container::{Container, Kind, Spot};
use super::pairing::{in_order_of, pair_in_order, pair_in_set};
use super::print::{Style, Syntax, escaped_markers, indent_at};
use super::{Blocked, Reason, Splice};
use crate::json::Json;

/// The changes after which the expression means `actual`.
///
/// `base` is what the expression meant when it was last known to be right: what is unknown and has
/// not changed since stays as it is. `text_of` gives the text of a file that an expression reads.
///
/// # Errors
///
/// A part that has changed and that only Terraform knows, or that is made elsewhere.
pub fn edit_value(
    text: &str,
    node: &Node,
    base: Option<&Json>,
    actual: &Json,
    meaning: Meaning,
    text_of: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Splice>, Blocked> {
    let mut editor = Editor {
        text,
        file: None,
        style: Style::of(text, node, Syntax::Hcl),
        text_of,
        splices: Vec::new(),
    };
    editor.edit(node, base, actual, Place::of(meaning), Surroundings::default())?;
    Ok(editor.splices)
}

struct Editor<'a> {
    text: &'a str,
    file: Option<&'a str>,
    style: Style,
    text_of: &'a dyn Fn(&str) -> Option<String>,
    splices: Vec<Splice>,
}

/// What an expression is a part of.
#[derive(Clone, Copy, Default)]
struct Surroundings {
    /// Whether what it is a part of stands on one line.
    is_one_line: bool,
}

impl Editor<'_> {
    fn edit(
        &mut self,
        node: &Node,
        base: Option<&Json>,
        actual: &Json,
        place: Place,
        around: Surroundings,
    ) -> Result<(), Blocked> {
        let is_unchanged = match matches(View::Node(node), actual, place) {
            Match::Same => true,
            Match::Assumed => base.is_none_or(|base| is_same(base, actual, place)),
            Match::Differs => false,
        };
        if is_unchanged {
            return Ok(());
        }
        match (&node.content, actual) {
            (Content::Unknown, _) => Err(self.blocked(node, Reason::Unknown)),
            (Content::Computed { is_replaceable: false, .. }, _) => {
                Err(self.blocked(node, Reason::MadeElsewhere))
            }
            (Content::JsonEncode(_) | Content::JsonText(_), _) => {
                self.edit_text(node, base, actual, place)
            }
            (Content::Scalar(_) | Content::Computed { .. }, _) => {
                self.replace(node, actual, place, around)
            }
            (Content::List(items), Json::Array(values)) => {
                self.edit_list(node, items, base, values, place, around)
            }
            (Content::List(items), single) if place.is_set() => {
                self.edit_list(node, items, base, std::slice::from_ref(single), place, around)
            }
            (Content::Object(members), Json::Object(values)) => {
                let place = if place == Place::Statements { place.item() } else { place };
                self.edit_object(node, members, base, values, place, around)
            }
            (Content::Object(_), Json::Array(values)) if place == Place::Statements => {
                self.edit_single(node, base, values, place, around)
            }
            (Content::List(_) | Content::Object(_), _) => {
                self.replace_known(node, actual, place, around)
            }
        }
    }

    /// A text that is written as JSON or as what is encoded as JSON.
    fn edit_text(
        &mut self,
        node: &Node,
        base: Option<&Json>,
        actual: &Json,
        place: Place,
    ) -> Result<(), Blocked> {
        let parsed = |value: &Json| match (place, value) {
            (Place::Text(_), value) => Some(value.clone()),
            (_, Json::String(text)) => Json::parse(text).ok(),
            _ => None,
        };
        let Some(value) = parsed(actual) else {
            return self.replace_known(node, actual, place, Surroundings::default());
        };
        let base = base.and_then(parsed);
        match &node.content {
            Content::JsonEncode(inner) if value.is_nfc() => {
                let around = Surroundings::default();
                self.edit(inner, base.as_ref(), &value, place.content(), around)
            }
            Content::JsonText(text) => self.edit_json(node, text, base.as_ref(), &value, place),
            _ => self.replace_known(node, actual, place, Surroundings::default()),
        }
    }

    fn edit_json(
        &mut self,
        node: &Node,
        json: &JsonText,
        base: Option<&Json>,
        actual: &Json,
        place: Place,
    ) -> Result<(), Blocked> {
        let syntax = Syntax::Json { is_template: json.is_template };
        let other;
        let (text, file) = match &json.file {
            None => (self.text, self.file),
            Some(file) => {
                let missing = || self.blocked(node, Reason::NoFile(file.clone()));
                other = (self.text_of)(file).ok_or_else(missing)?;
                (other.as_str(), Some(file.as_str()))
            }
        };
        let style = Style::of(text, &json.root, syntax);
        let mut editor = Editor { text, file, style, text_of: self.text_of, splices: Vec::new() };
        let is_one_line = !editor.spelled(&json.root).contains('\n');
        let around = Surroundings { is_one_line };
        editor.edit(&json.root, base, actual, place.content(), around)?;
        self.splices.append(&mut editor.splices);
        Ok(())
    }

    fn edit_object(
        &mut self,
        node: &Node,
        members: &[Member],
        base: Option<&Json>,
        values: &[(String, Json)],
        place: Place,
        around: Surroundings,
    ) -> Result<(), Blocked> {
        let is_nothing = |key: &str, value: &Json| {
            member_is_nothing(place, key, View::Json(value)) == Match::Same
        };
        let mut member_of: Vec<Option<usize>> = vec![None; values.len()];
        let mut value_of: Vec<Option<usize>> = vec![None; members.len()];
        for is_exact in [true, false] {
            for (index, member) in members.iter().enumerate() {
                let at = (0..values.len()).find(|at| {
                    member_of[*at].is_none()
                        && (!is_exact && place.is_same_key(&member.key, &values[*at].0)
                            || member.key == values[*at].0)
                });
                if let (None, Some(at)) = (value_of[index], at) {
                    value_of[index] = Some(at);
                    member_of[at] = Some(index);
                }
            }
        }
        let base_of = |key: &str| {
            let Some(Json::Object(base)) = base else { return None };
            let exact = base.iter().find(|(other, _)| other == key);
            let found =
                exact.or_else(|| base.iter().find(|(other, _)| place.is_same_key(other, key)));
            found.map(|(_, value)| value)
        };
        let stays = |index: usize| {
            let Member { key, value, .. } = &members[index];
            value_of[index].is_some()
                || match member_is_nothing(place, key, View::Node(value)) {
                    Match::Same => true,
                    Match::Assumed => base_of(key).is_none_or(|value| is_nothing(key, value)),
                    Match::Differs => false,
                }
        };
        let new: Vec<usize> = (0..values.len())
            .filter(|at| member_of[*at].is_none() && !is_nothing(&values[*at].0, &values[*at].1))
            .collect();
        let kept: Vec<usize> = (0..members.len()).filter(|index| stays(*index)).collect();
        let is_rearranged = kept.len() < members.len() || !new.is_empty();
        let kind = if self.style.syntax == Syntax::Hcl { Kind::Object } else { Kind::Json };
        let spans = members.iter().map(|member| member.key_span.start..self.end(&member.value));
        let container = self.container(node, spans.collect(), kind);
        let inside = self.inside(container.as_ref(), around);

        if is_rearranged {
            let entries = in_order_of(&kept, &new, &member_of, place.is_policy());
            let value = || Json::Object(values.to_vec());
            match container {
                None => return self.replace_known(node, &value(), place, around),
                Some(container)
                    if container.is_bare() && (entries.is_empty() || members.is_empty()) =>
                {
                    return self.replace(node, &value(), place, around);
                }
                Some(container) => {
                    let print = |at: &usize, spot: &Spot| {
                        let (key, value) = &values[*at];
                        self.member(members, key, value, spot, inside)
                    };
                    let changes = container.rewrite(&entries, &print, false);
                    self.push_all(changes);
                }
            }
        }
        for (index, member) in members.iter().enumerate() {
            let Some(at) = value_of[index] else { continue };
            let base = base_of(&member.key);
            let place = place.member(&member.key);
            self.edit(&member.value, base, &values[at].1, place, inside)?;
        }
        Ok(())
    }

    fn edit_list(
        &mut self,
        node: &Node,
        items: &[Node],
        base: Option<&Json>,
        values: &[Json],
        place: Place,
        around: Surroundings,
    ) -> Result<(), Blocked> {
        let base: Option<&[Json]> = base.map(|base| match base {
            Json::Array(base) => base.as_slice(),
            single => std::slice::from_ref(single),
        });
        let pairing = if place.is_set() {
            pair_in_set(items, base, values, place.item())
        } else {
            pair_in_order(items, base, values, place.item())
        };
        if let Some(guess) = pairing.guess(items, base.is_some()) {
            return Err(self.blocked(guess, Reason::Unknown));
        }
        let mut item_of = vec![None; values.len()];
        for (index, value) in pairing.value_of.iter().enumerate() {
            if let Some(at) = value {
                item_of[*at] = Some(index);
            }
        }
        let kept: Vec<usize> =
            (0..items.len()).filter(|index| pairing.value_of[*index].is_some()).collect();
        let new: Vec<usize> = (0..values.len()).filter(|at| item_of[*at].is_none()).collect();
        let kind = if self.style.syntax == Syntax::Hcl { Kind::List } else { Kind::Json };
        let spans = items.iter().map(|item| item.span.start..self.end(item)).collect();
        let container = self.container(node, spans, kind);
        let inside = self.inside(container.as_ref(), around);

        if kept.len() < items.len() || !new.is_empty() {
            let entries = in_order_of(&kept, &new, &item_of, true);
            let is_scalar = |item: &Node| matches!(item.content, Content::Scalar(_));
            let grows_out = items.len() < 2
                && entries.len() > 1
                && items.iter().all(is_scalar)
                && !around.is_one_line
                && self.style.lists_on_one_line == Some(false);
            let value = || Json::Array(values.to_vec());
            match container {
                None => return self.replace_known(node, &value(), place, around),
                Some(container)
                    if container.is_bare()
                        && (entries.is_empty()
                            || items.is_empty()
                            || grows_out && container.is_one_line()) =>
                {
                    return self.replace(node, &value(), place, around);
                }
                Some(container) => {
                    let print =
                        |at: &usize, spot: &Spot| self.item(items, &values[*at], spot, inside);
                    let changes = container.rewrite(&entries, &print, place == Place::Statements);
                    self.push_all(changes);
                }
            }
        }
        for (index, item) in items.iter().enumerate() {
            if let Some(at) = pairing.value_of[index] {
                let base = pairing.base_of[index].and_then(|at| base?.get(at));
                self.edit(item, base, &values[at], place.item(), inside)?;
            }
        }
        Ok(())
    }

    /// One statement that stands without a list and becomes several.
    fn edit_single(
        &mut self,
        node: &Node,
        base: Option<&Json>,
        values: &[Json],
        place: Place,
        around: Surroundings,
    ) -> Result<(), Blocked> {
        let base_items: Option<&[Json]> = base.map(|base| match base {
            Json::Array(base) => base.as_slice(),
            single => std::slice::from_ref(single),
        });
        let items = std::slice::from_ref(node);
        let pairing = pair_in_set(items, base_items, values, place.item());
        if let Some(guess) = pairing.guess(items, base.is_some()) {
            return Err(self.blocked(guess, Reason::Unknown));
        }
        let Some(kept) = pairing.value_of[0] else {
            return self.replace_known(node, &Json::Array(values.to_vec()), place, around);
        };
        let base = pairing.base_of[0].and_then(|at| base_items?.get(at));
        let is_one_line = !self.spelled(node).contains('\n');
        let indent = indent_at(self.text, node.span.start).to_owned();
        let print = |value: &Json| match is_one_line {
            true => self.style.line(value),
            false => self.style.lines(value, &indent),
        };
        let comma = if is_one_line { self.style.comma() } else { ", " };
        let before: String = values[..kept].iter().map(|value| print(value) + comma).collect();
        let after: String =
            values[kept + 1..].iter().map(|value| comma.to_owned() + &print(value)).collect();
        if values.len() == 1 {
            return self.edit(node, base, &values[kept], place.item(), around);
        }
        let (start, end) = (node.span.start, node.span.end);
        self.push(start..start, format!("[{before}"));
        self.edit(node, base, &values[kept], place.item(), around)?;
        self.push(end..end, format!("{after}]"));
        Ok(())
    }

    fn member(
        &self,
        members: &[Member],
        key: &str,
        value: &Json,
        spot: &Spot,
        inside: Surroundings,
    ) -> String {
        let sibling = spot.sibling.and_then(|sibling| members.get(sibling));
        let between = sibling
            .and_then(|sibling| self.text.get(sibling.key_span.end..sibling.value.span.start))
            .filter(|between| matches!(between.trim_matches([' ', '\t']), "=" | ":"));
        let is_quoted = |member: &Member| {
            self.text.get(member.key_span.clone()).is_some_and(|key| key.starts_with('"'))
        };
        let printed_key = match self.style.syntax {
            Syntax::Hcl if !members.is_empty() && members.iter().all(is_quoted) => {
                format::quoted_key(key)
            }
            _ => self.style.key(key),
        };
        let between = between.unwrap_or(&self.style.separator);
        let separator = between.trim_start_matches([' ', '\t']);
        let blanks = between.len() - separator.len();
        let column = sibling.map_or(0, |sibling| sibling.key_span.len()) + blanks;
        let padding = match blanks {
            0 | 1 => blanks,
            _ => column.saturating_sub(printed_key.len()).max(1),
        };
        let padding = " ".repeat(padding);
        let value = match self.are_short(members.iter().map(|member| &member.value), value) {
            true => self.style.line(value),
            false => self.value(value, spot, inside),
        };
        format!("{printed_key}{padding}{separator}{value}")
    }

    fn item(&self, items: &[Node], value: &Json, spot: &Spot, inside: Surroundings) -> String {
        let is_long = |sibling: usize| {
            items.get(sibling).is_some_and(|item| self.spelled(item).contains('\n'))
        };
        match spot.sibling {
            Some(sibling) if spot.is_shared && is_long(sibling) => {
                self.style.lines(value, spot.indent)
            }
            _ if self.are_short(items.iter(), value) => self.style.line(value),
            _ => self.value(value, spot, inside),
        }
    }

    /// Whether the objects next to which another one is to stand have a line each.
    fn are_short<'n>(&self, nodes: impl Iterator<Item = &'n Node>, value: &Json) -> bool {
        let is_object =
            |node: &&Node| matches!(&node.content, Content::Object(members) if !members.is_empty());
        let mut objects = nodes.filter(is_object).peekable();
        matches!(value, Json::Object(_))
            && objects.peek().is_some()
            && objects.all(|node| !self.spelled(node).contains('\n'))
    }

    fn value(&self, value: &Json, spot: &Spot, inside: Surroundings) -> String {
        if spot.is_shared || inside.is_one_line {
            self.style.line(value)
        } else {
            self.style.lines(value, spot.indent)
        }
    }

    /// Replaces all of an expression, unless that would take something with it that only Terraform
    /// knows.
    fn replace_known(
        &mut self,
        node: &Node,
        value: &Json,
        place: Place,
        around: Surroundings,
    ) -> Result<(), Blocked> {
        match fixed_part(node) {
            Some(fixed) => {
                let reason = match fixed.content {
                    Content::Unknown => Reason::Unknown,
                    _ => Reason::MadeElsewhere,
                };
                Err(self.blocked(fixed, reason))
            }
            None => self.replace(node, value, place, around),
        }
    }

    fn replace(
        &mut self,
        node: &Node,
        value: &Json,
        place: Place,
        around: Surroundings,
    ) -> Result<(), Blocked> {
        let spelled = self.spelled(node);
        let end = self.end(node);
        let indent = indent_at(self.text, node.span.start);
        let text = match (place, value) {
            (Place::Text(_), document) if !document.is_nfc() => format::quoted(&document.ascii()),
            (Place::Text(_), document) => {
                format!("jsonencode({})", self.style.lines(document, indent))
            }
            (_, Json::String(text)) if spelled.starts_with("<<") => {
                heredoc(spelled, text).unwrap_or_else(|| format::quoted(text))
            }
            (Place::Plain, Json::Number(number)) if spelled.starts_with('"') => {
                format::quoted(number)
            }
            _ if around.is_one_line => self.style.line(value),
            _ => self.style.lines(value, indent),
        };
        self.push(node.span.start..end, text);
        Ok(())
    }

    fn container(
        &self,
        node: &Node,
        items: Vec<Range<usize>>,
        kind: Kind,
    ) -> Option<Container<'_>> {
        Container::new(self.text, &node.span, items, kind, &self.style)
    }

    fn inside(&self, container: Option<&Container>, around: Surroundings) -> Surroundings {
        let is_one_line = container
            .is_some_and(|container| container.is_one_line() && !container.has_long_items());
        Surroundings { is_one_line: around.is_one_line || is_one_line }
    }

    fn spelled(&self, node: &Node) -> &str {
        self.text.get(node.span.clone()).unwrap_or_default()
    }

    /// Where an expression ends; the line's end after a heredoc is no part of it.
    fn end(&self, node: &Node) -> usize {
        let trailing =
            self.spelled(node).len() - self.spelled(node).trim_end_matches(['\r', '\n']).len();
        node.span.end - trailing
    }

    fn blocked(&self, node: &Node, reason: Reason) -> Blocked {
        Blocked { file: self.file.map(str::to_owned), span: node.span.clone(), reason }
    }

    fn push_all(&mut self, changes: Vec<(Range<usize>, String)>) {
        for (span, text) in changes {
            self.push(span, text);
        }
    }

    fn push(&mut self, span: Range<usize>, text: String) {
        self.splices.push(Splice { file: self.file.map(str::to_owned), span, text });
    }
}

/// A part of the expression that no literal can take the place of.
fn fixed_part(node: &Node) -> Option<&Node> {
    match &node.content {
        Content::Unknown | Content::Computed { is_replaceable: false, .. } => Some(node),
        Content::Scalar(_) | Content::Computed { .. } => None,
        Content::List(items) => items.iter().find_map(fixed_part),
        Content::Object(members) => members.iter().find_map(|member| fixed_part(&member.value)),
        Content::JsonEncode(_) | Content::JsonText(_) => json_within(node).and_then(fixed_part),
    }
}

/// A heredoc like another one, if the text is fit for that.
fn heredoc(like: &str, text: &str) -> Option<String> {
    let (opening, body) = like.split_once('\n')?;
    let closing = body.lines().last()?;
    let marker = closing.trim();
    let is_indented = opening.starts_with("<<-");
    let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
    let is_fit = |line: &&str| {
        !line.chars().any(crate::invisible::is_invisible)
            && line.trim() != marker
            && !(is_indented && (line.is_empty() || line.starts_with([' ', '\t'])))
    };
    if opening.ends_with('\r') || !lines.iter().all(is_fit) {
        return None;
    }
    let indent = match body.lines().next() {
        Some(first) if is_indented => &first[..first.len() - first.trim_start_matches(' ').len()],
        _ => "",
    };
    let mut out = format!("{opening}\n");
    for line in lines {
        out.push_str(indent);
        out.push_str(&escaped_markers(line));
        out.push('\n');
    }
    out.push_str(closing);
    Some(out)
}
