//! Takes items out of a list or an object and puts others in, in the layout that it has.
//!
//! The text of a container is lines of items. Between two items stands a gap: at most one comma,
//! comments, line ends. Items between which no line ends share a line.

use std::ops::Range;

use super::super::scan::{self, Token, comment_end, line_end_length, tokens};
use super::print::{Style, indent_at, starts_line};

/// What encloses the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Needs a comma between items, may have one after the last.
    List,
    /// A line's end will do between items.
    Object,
    /// Needs a comma between items and none after the last.
    Json,
}

/// A list or an object in a text.
pub(super) struct Container<'a> {
    text: &'a str,
    kind: Kind,
    style: &'a Style,
    /// The text between the brackets.
    inner: Range<usize>,
    items: Vec<Range<usize>>,
    opening: Gap,
    /// What follows each item.
    gaps: Vec<Gap>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gap {
    comma: Option<usize>,
    /// Where the next line starts, if the line ends in the gap.
    next_line: Option<usize>,
    has_comment: bool,
}

/// What the container is to hold.
pub(super) enum Entry<T> {
    /// The item with this index, in the order they are in.
    Kept(usize),
    New(T),
}

impl<T> Entry<T> {
    fn as_new(&self) -> Option<&T> {
        match self {
            Entry::New(new) => Some(new),
            Entry::Kept(_) => None,
        }
    }
}

/// Where a new item goes.
pub(super) struct Spot<'a> {
    /// An item nearby, whose habits to follow.
    pub sibling: Option<usize>,
    /// The white space that the line starts with.
    pub indent: &'a str,
    /// Whether other items, or the brackets, stand on the same line.
    pub is_shared: bool,
}

/// A part of the text to be replaced.
pub(super) type Change = (Range<usize>, String);

impl<'a> Container<'a> {
    /// Looks at a container; `None` if something unusual stands in it, such as a parenthesis around
    /// an item.
    pub fn new(
        text: &'a str,
        span: &Range<usize>,
        items: Vec<Range<usize>>,
        kind: Kind,
        style: &'a Style,
    ) -> Option<Container<'a>> {
        let spelled = text.get(span.clone())?;
        let is_bracketed = spelled.len() > 1
            && (spelled.starts_with('[') && spelled.ends_with(']')
                || spelled.starts_with('{') && spelled.ends_with('}'));
        if !is_bracketed {
            return None;
        }
        if items.iter().any(|item| text.get(item.clone()).is_none()) {
            return None;
        }
        let inner = span.start + 1..span.end - 1;
        let mut starts = items.iter().map(|item| item.start).chain([inner.end]);
        let opening = gap(text, inner.start..starts.next()?)?;
        let mut gaps = Vec::with_capacity(items.len());
        for (item, next) in items.iter().zip(starts) {
            gaps.push(gap(text, item.end..next)?);
        }
        // A comma would have to stand on the line after a heredoc.
        let has_commas = kind == Kind::List
            || kind == Kind::Object && gaps.iter().any(|gap| gap.comma.is_some());
        if has_commas && items.iter().any(|item| ends_with_heredoc(&text[item.clone()])) {
            return None;
        }
        (opening.comma.is_none()).then_some(Container {
            text,
            kind,
            style,
            inner,
            items,
            opening,
            gaps,
        })
    }

    /// Whether all of it, the brackets included, shares one line but for what is within the items.
    pub fn is_one_line(&self) -> bool {
        self.opening.next_line.is_none() && self.gaps.iter().all(|gap| gap.next_line.is_none())
    }

    /// Whether a line ends within an item.
    pub fn has_long_items(&self) -> bool {
        self.items.iter().any(|item| self.text[item.clone()].contains('\n'))
    }

    /// Whether there is nothing in it that printing it anew would lose.
    pub fn is_bare(&self) -> bool {
        !self.opening.has_comment && self.gaps.iter().all(|gap| !gap.has_comment)
    }

    /// The changes after which the container holds the entries. `print` prints a new one.
    pub fn rewrite<T>(
        &self,
        entries: &[Entry<T>],
        print: &dyn Fn(&T, &Spot) -> String,
        takes_comments: bool,
    ) -> Vec<Change> {
        let mut is_kept = vec![false; self.items.len()];
        for entry in entries {
            if let Entry::Kept(index) = entry {
                is_kept[*index] = true;
            }
        }
        let mut deleted = self.deleted_lines(&is_kept, entries.is_empty(), takes_comments);
        let mut changes = Vec::new();
        let mut rest = entries;
        let mut anchor = None;
        loop {
            let new = rest.iter().take_while(|entry| matches!(entry, Entry::New(_))).count();
            let (group, after) = rest.split_at(new);
            let group: Vec<&T> = group.iter().filter_map(Entry::as_new).collect();
            match anchor {
                None => self.insert_first(&group, after, &is_kept, print, &mut changes),
                Some(kept) => {
                    self.insert_after(kept, &group, after, print, &mut changes, &mut deleted);
                }
            }
            let Some((Entry::Kept(index), after)) = after.split_first() else { break };
            anchor = Some(*index);
            rest = after;
        }
        changes.extend(union(deleted).into_iter().map(|range| (range, String::new())));
        changes
    }

    /// The runs of items that share a line.
    fn runs(&self) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut start = 0;
        for (index, gap) in self.gaps.iter().enumerate() {
            if gap.next_line.is_some() || index + 1 == self.items.len() {
                runs.push(start..index + 1);
                start = index + 1;
            }
        }
        runs
    }

    fn deleted_lines(
        &self,
        is_kept: &[bool],
        is_emptied: bool,
        takes_comments: bool,
    ) -> Vec<Range<usize>> {
        let mut deleted = Vec::new();
        let mut region = self.opening.next_line;
        for run in self.runs() {
            let (first, last) = (run.start, run.end - 1);
            let next_line = self.gaps[last].next_line;
            if is_kept[run.clone()].contains(&true) {
                let mut before: Option<usize> = None;
                for kept in run.clone().filter(|index| is_kept[*index]) {
                    match before {
                        None => deleted.push(self.items[first].start..self.items[kept].start),
                        Some(before) if before + 1 < kept => {
                            deleted.push(self.items[before + 1].start..self.items[kept].start);
                        }
                        Some(_) => {}
                    }
                    before = Some(kept);
                }
                if let Some(kept) = before
                    && kept < last
                {
                    deleted.push(self.end_with_comma(kept)..self.end_with_comma(last));
                }
            } else {
                deleted.push(match (region, next_line) {
                    (Some(region), Some(next_line)) => {
                        self.whole_lines(region, first, next_line, takes_comments)
                    }
                    (None, Some(next_line)) => {
                        self.inner.start..next_line - self.line_end_before(next_line)
                    }
                    (Some(_), None) => {
                        let item = self.items[first].start;
                        let indent = indent_at(self.text, item).len();
                        let outer = indent_at(self.text, self.inner.start - 1).len();
                        // The bracket moves to where the item was, as far out as the container.
                        item - indent.saturating_sub(outer)..self.inner.end
                    }
                    (None, None) if is_emptied => self.inner.clone(),
                    (None, None) => self.items[first].start..self.items[last].end,
                });
            }
            region = next_line;
        }
        deleted.retain(|range| range.start < range.end);
        deleted
    }

    /// The lines of a run of items that go, with what only made sense with them.
    fn whole_lines(
        &self,
        region: usize,
        first: usize,
        next_line: usize,
        takes_comments: bool,
    ) -> Range<usize> {
        let text = self.text;
        let mut start = self.items[first].start - indent_at(text, self.items[first].start).len();
        let mut end = next_line;
        let is_blank = |line: &str| line.trim().is_empty();
        let next = text[end..self.inner.end].lines().next().unwrap_or_default();
        let is_last_of_group = is_blank(next) || starts_with_comment(next);
        if takes_comments && is_last_of_group {
            start -= text[region.min(start)..start]
                .split_inclusive('\n')
                .rev()
                .take_while(|line| starts_with_comment(line))
                .map(str::len)
                .sum::<usize>();
        }
        let before = text[region.min(start)..start].split_inclusive('\n').next_back();
        let follows_blank = before.map_or(Some(start) == self.opening.next_line, is_blank);
        let is_end = !text[end..self.inner.end].contains('\n');
        if follows_blank && is_blank(next) && !is_end {
            end += text[end..].split_inclusive('\n').next().map_or(0, str::len);
        } else if is_end
            && let Some(line) = before
            && is_blank(line)
        {
            start -= line.len();
        }
        start..end
    }

    fn insert_first<T>(
        &self,
        group: &[&T],
        after: &[Entry<T>],
        is_kept: &[bool],
        print: &dyn Fn(&T, &Spot) -> String,
        changes: &mut Vec<Change>,
    ) {
        if group.is_empty() {
            return;
        }
        let is_last = after.is_empty();
        match (self.opening.next_line, self.items.first()) {
            (Some(line), Some(_)) => {
                let sibling = is_kept.iter().position(|is_kept| *is_kept).unwrap_or(0);
                self.insert_lines(line, sibling, group, is_last, print, changes);
            }
            (None, Some(item)) => {
                let spot = Spot {
                    sibling: Some(0),
                    indent: indent_at(self.text, item.start),
                    is_shared: true,
                };
                let printed: Vec<String> = group.iter().map(|new| print(new, &spot)).collect();
                let mut printed = printed.join(self.comma());
                let first_run = self.runs().first().cloned().unwrap_or_default();
                if is_kept[first_run.clone()].contains(&true) {
                    printed.push_str(self.comma());
                } else if !is_last && self.gaps[first_run.end - 1].next_line.is_some() {
                    printed.push(',');
                }
                let is_alone = !is_kept[first_run.clone()].contains(&true)
                    && self.gaps[first_run.end - 1].next_line.is_some();
                let at = if is_alone { self.inner.start } else { item.start };
                changes.push((at..at, printed));
            }
            (_, None) => {
                let line =
                    self.text[self.inner.clone()].rfind('\n').map(|at| self.inner.start + at + 1);
                let at = line.unwrap_or(self.inner.end);
                let outer = indent_at(self.text, self.inner.start - 1);
                let indent = format!("{outer}{}", self.style.unit);
                let spot = Spot { sibling: None, indent: &indent, is_shared: false };
                let mut lines = String::new();
                for (index, new) in group.iter().enumerate() {
                    let needs_comma = match self.kind {
                        Kind::List => true,
                        Kind::Json => index + 1 < group.len(),
                        Kind::Object => false,
                    };
                    lines.push_str(&indent);
                    lines.push_str(&print(new, &spot));
                    lines.push_str(if needs_comma { "," } else { "" });
                    lines.push_str(self.style.newline);
                }
                changes.push((at..at, lines));
            }
        }
    }

    /// Puts the new items after one that stays, and sees to the comma after that.
    fn insert_after<T>(
        &self,
        kept: usize,
        group: &[&T],
        after: &[Entry<T>],
        print: &dyn Fn(&T, &Spot) -> String,
        changes: &mut Vec<Change>,
        deleted: &mut Vec<Range<usize>>,
    ) {
        let gap = self.gaps[kept];
        let is_last = after.is_empty();
        let end = self.items[kept].end;
        if let Some(line) = gap.next_line {
            let needs_comma = self.needs_comma_at_line_end(is_last && group.is_empty());
            self.set_comma(kept, needs_comma, changes, deleted);
            if !group.is_empty() {
                self.insert_lines(line, kept, group, is_last, print, changes);
            }
            return;
        }
        if !group.is_empty() {
            let spot = Spot {
                sibling: Some(kept),
                indent: indent_at(self.text, self.items[kept].start),
                is_shared: true,
            };
            let mut printed = String::new();
            for new in group {
                printed.push_str(self.comma());
                printed.push_str(&print(new, &spot));
            }
            changes.push((end..end, printed));
        }
        let needs_comma = !is_last || self.has_comma_at_end();
        let shares_line_end = self.gaps[kept..].iter().any(|gap| gap.next_line.is_some());
        let needs_comma = if is_last && shares_line_end {
            self.needs_comma_at_line_end(true)
        } else {
            Some(needs_comma)
        };
        self.set_comma(kept, needs_comma, changes, deleted);
    }

    fn set_comma(
        &self,
        kept: usize,
        needs_comma: Option<bool>,
        changes: &mut Vec<Change>,
        deleted: &mut Vec<Range<usize>>,
    ) {
        let end = self.items[kept].end;
        match (needs_comma, self.gaps[kept].comma) {
            (Some(true), None) => changes.push((end..end, ",".to_owned())),
            (Some(false), Some(comma)) => deleted.push(comma..comma + 1),
            _ => {}
        }
    }

    fn insert_lines<T>(
        &self,
        at: usize,
        sibling: usize,
        group: &[&T],
        is_last: bool,
        print: &dyn Fn(&T, &Spot) -> String,
        changes: &mut Vec<Change>,
    ) {
        let own_line = |index: &usize| starts_line(self.text, self.items[*index].start);
        let model = Some(sibling).filter(own_line).or_else(|| (0..self.items.len()).find(own_line));
        let indent = match model {
            Some(model) => indent_at(self.text, self.items[model].start).to_owned(),
            None => format!("{}{}", indent_at(self.text, self.inner.start - 1), self.style.unit),
        };
        let spot = Spot { sibling: Some(sibling), indent: &indent, is_shared: false };
        let mut lines = String::new();
        for (index, new) in group.iter().enumerate() {
            let is_last = is_last && index + 1 == group.len();
            lines.push_str(&indent);
            lines.push_str(&print(new, &spot));
            if self.needs_comma_at_line_end(is_last) == Some(true) {
                lines.push(',');
            }
            lines.push_str(self.style.newline);
        }
        changes.push((at..at, lines));
    }

    /// Whether an item that ends its line has a comma; `None` if it does not matter.
    fn needs_comma_at_line_end(&self, is_last: bool) -> Option<bool> {
        let habit_at_end = self.has_comma_at_end();
        match self.kind {
            Kind::Json => Some(!is_last),
            Kind::List => Some(!is_last || habit_at_end),
            Kind::Object => {
                let between = &self.gaps[..self.gaps.len().saturating_sub(1)];
                let mut at_line_ends =
                    between.iter().filter(|gap| gap.next_line.is_some()).peekable();
                let has_commas = match at_line_ends.peek() {
                    None => habit_at_end,
                    Some(_) => at_line_ends.all(|gap| gap.comma.is_some()),
                };
                (has_commas || habit_at_end).then_some(if is_last {
                    habit_at_end
                } else {
                    has_commas
                })
            }
        }
    }

    fn has_comma_at_end(&self) -> bool {
        self.gaps.last().is_some_and(|gap| gap.comma.is_some())
    }

    fn end_with_comma(&self, index: usize) -> usize {
        self.gaps[index].comma.map_or(self.items[index].end, |comma| comma + 1)
    }

    fn line_end_before(&self, next_line: usize) -> usize {
        if self.text[..next_line].ends_with("\r\n") { 2 } else { 1 }
    }

    /// What separates items on one line here.
    fn comma(&self) -> &'static str {
        let is_tight = self.gaps.iter().zip(self.items.iter().skip(1)).any(|(gap, next)| {
            gap.next_line.is_none() && gap.comma.is_some_and(|comma| comma + 1 == next.start)
        });
        if is_tight { "," } else { ", " }
    }
}

fn starts_with_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') || line.starts_with("//")
}

fn ends_with_heredoc(item: &str) -> bool {
    let is_heredoc = |token: &Token| token.kind == scan::Kind::Heredoc;
    item.contains("<<")
        && tokens(item).iter().rposition(is_heredoc).is_some_and(|at| at + 3 >= tokens(item).len())
}

/// What stands between items; `None` for anything but blanks, line ends, comments and one comma.
fn gap(text: &str, range: Range<usize>) -> Option<Gap> {
    let mut found = Gap::default();
    let mut at = range.start;
    let mut next_line = None;
    text.get(range.clone())?;
    while at < range.end {
        let rest = &text[at..range.end];
        if let Some(end) = comment_end(text, at) {
            found.has_comment = true;
            at = end;
            continue;
        }
        match rest.as_bytes()[0] {
            b' ' | b'\t' => at += 1,
            b',' if found.comma.is_none() => {
                found.comma = Some(at);
                next_line = None;
                at += 1;
            }
            b'\n' | b'\r' if line_end_length(rest) > 0 => {
                at += line_end_length(rest);
                next_line = next_line.or(Some(at));
            }
            _ => return None,
        }
    }
    found.next_line = next_line;
    (at == range.end).then_some(found)
}

/// The ranges without overlaps, in order.
fn union(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}
