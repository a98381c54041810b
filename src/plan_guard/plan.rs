//! The plan as `terraform show -json` tells it: what of it is read, and what is asked of a change.
//!
//! Members that are not known are passed over, as Terraform adds some within a format version. What
//! decides (actions, mode, identities) is never guessed: a plan that says something unknown there
//! cannot be read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A plan that cannot be judged: what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Plan {
    #[serde(default)]
    pub format_version: String,
    #[serde(default)]
    pub resource_changes: Vec<ResourceChange>,
    /// What changed outside of Terraform since it last looked.
    #[serde(default)]
    pub resource_drift: Vec<ResourceChange>,
    #[serde(default)]
    pub output_changes: BTreeMap<String, OutputChange>,
    #[serde(default)]
    pub prior_state: State,
    #[serde(default)]
    pub configuration: Configuration,
    #[serde(default)]
    pub errored: bool,
    /// Terraform before 1.8 does not say.
    pub complete: Option<bool>,
    #[serde(default)]
    pub deferred_changes: Vec<Value>,
    #[serde(default)]
    pub action_invocations: Vec<Invocation>,
    #[serde(default)]
    pub deferred_action_invocations: Vec<Value>,
}

/// An action of a provider that the apply would run (Terraform 1.14).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Invocation {
    #[serde(default)]
    pub address: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ResourceChange {
    pub address: String,
    pub previous_address: Option<String>,
    pub module_address: Option<String>,
    pub mode: Mode,
    #[serde(rename = "type")]
    pub resource_type: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub provider_name: String,
    /// An object that a replacement left behind.
    pub deposed: Option<String>,
    pub change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Managed,
    Data,
    Ephemeral,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Change {
    #[serde(default)]
    pub actions: Action,
    #[serde(default)]
    pub before: Value,
    #[serde(default)]
    pub after: Value,
    #[serde(default)]
    pub after_unknown: Value,
    #[serde(default)]
    pub before_sensitive: Value,
    #[serde(default)]
    pub after_sensitive: Value,
    pub importing: Option<Importing>,
}

/// Of an output only that it changes is of interest.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OutputChange {
    #[serde(default)]
    pub actions: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Importing {
    /// None where the import is by identity, or its ID is not known yet.
    pub id: Option<String>,
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub enum Action {
    #[default]
    Nothing,
    Read,
    Create,
    Update,
    Replace,
    Destroy,
    Forget,
    /// A new object takes the place of one that Terraform lets go.
    CreateAndForget,
}

impl TryFrom<Vec<String>> for Action {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Action, String> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(match names.as_slice() {
            ["no-op"] => Action::Nothing,
            ["read"] => Action::Read,
            ["create"] => Action::Create,
            ["update"] => Action::Update,
            ["delete", "create"] | ["create", "delete"] => Action::Replace,
            ["delete"] => Action::Destroy,
            ["forget"] => Action::Forget,
            ["create", "forget"] | ["forget", "create"] => Action::CreateAndForget,
            other => return Err(format!("the actions {other:?} are not known")),
        })
    }
}

/// What Terraform knew before the plan.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct State {
    values: StateValues,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StateValues {
    root_module: StateModule,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StateModule {
    resources: Vec<StateResource>,
    child_modules: Vec<StateModule>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct StateResource {
    pub address: String,
    pub mode: Mode,
    #[serde(rename = "type")]
    pub resource_type: String,
    #[serde(default)]
    pub values: Value,
}

impl State {
    /// The managed resources of all modules.
    pub fn resources(&self) -> Vec<&StateResource> {
        let mut found = Vec::new();
        let mut modules = vec![&self.values.root_module];
        while let Some(module) = modules.pop() {
            found.extend(module.resources.iter().filter(|found| found.mode == Mode::Managed));
            modules.extend(&module.child_modules);
        }
        found
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Configuration {
    pub provider_config: BTreeMap<String, ProviderConfiguration>,
    pub root_module: ModuleConfiguration,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ProviderConfiguration {
    pub name: String,
    pub full_name: String,
    pub expressions: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ModuleConfiguration {
    pub resources: Vec<ResourceConfiguration>,
    pub module_calls: BTreeMap<String, ModuleCall>,
    pub actions: Vec<Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ResourceConfiguration {
    pub address: String,
    pub mode: Mode,
    #[serde(rename = "type")]
    pub resource_type: String,
    #[serde(default)]
    pub provisioners: Vec<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ModuleCall {
    pub source: String,
    pub module: ModuleConfiguration,
}

impl Configuration {
    /// All modules with their addresses, the root's is empty, and where their code comes from.
    pub fn modules(&self) -> Vec<(String, &str, &ModuleConfiguration)> {
        let mut found = Vec::new();
        let mut modules = vec![(String::new(), ".", &self.root_module)];
        while let Some((address, source, module)) = modules.pop() {
            for (name, call) in &module.module_calls {
                let dot = if address.is_empty() { "" } else { "." };
                let address = format!("{address}{dot}module.{name}");
                modules.push((address, &call.source, &call.module));
            }
            found.push((address, source, module));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }
}

impl Plan {
    /// Reads what `terraform show -json PLAN` printed.
    ///
    /// # Errors
    ///
    /// No JSON, no plan, a format of another major version, or a change that says what is not known.
    pub fn parse(text: &str) -> Result<Plan, PlanError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| PlanError(format!("it is not valid JSON: {error}")))?;
        if value.get("format_version").is_none() {
            return Err(PlanError("it has no `format_version`".to_owned()));
        }
        if value.get("planned_values").is_none() || value.get("configuration").is_none() {
            return Err(PlanError("it is no plan: a state looks like this".to_owned()));
        }
        let plan: Plan = serde_json::from_value(value)
            .map_err(|error| PlanError(format!("it is no plan that is understood: {error}")))?;
        match plan.format_version.split('.').next() {
            Some("1") => Ok(plan),
            _ => Err(PlanError(format!(
                "its format has version `{}`, and only 1 is known",
                plan.format_version
            ))),
        }
    }

    /// The changes of managed resources, those that do nothing among them.
    pub fn managed(&self) -> impl Iterator<Item = &ResourceChange> {
        self.resource_changes.iter().filter(|change| change.mode == Mode::Managed)
    }
}

/// One side of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// What is known of an argument after the apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    Absent,
    Text(Cow<'a, str>),
    /// Only the apply will tell.
    Unknown,
}

impl ResourceChange {
    pub fn action(&self) -> Action {
        self.change.actions
    }

    /// Whether something happens: in AWS, or to what Terraform takes for what.
    pub fn is_effective(&self) -> bool {
        !matches!(self.action(), Action::Nothing | Action::Read)
            || self.is_import()
            || self.is_move()
    }

    /// Whether AWS is asked to change something.
    pub fn changes_aws(&self) -> bool {
        !matches!(self.action(), Action::Nothing | Action::Read | Action::Forget)
    }

    /// Whether an object of AWS is gone afterwards.
    pub fn destroys(&self) -> bool {
        matches!(self.action(), Action::Destroy | Action::Replace)
    }

    /// Whether there is a new object afterwards.
    pub fn creates(&self) -> bool {
        matches!(self.action(), Action::Create | Action::Replace | Action::CreateAndForget)
    }

    pub fn is_import(&self) -> bool {
        self.change.importing.is_some()
    }

    pub fn is_move(&self) -> bool {
        self.previous_address.as_ref().is_some_and(|previous| *previous != self.address)
    }

    pub fn side(&self, side: Side) -> &Value {
        match side {
            Side::Before => &self.change.before,
            Side::After => &self.change.after,
        }
    }

    /// A text among the arguments of one side.
    pub fn text(&self, side: Side, argument: &str) -> Option<&str> {
        self.side(side).get(argument)?.as_str()
    }

    /// An argument after the apply.
    pub fn after(&self, argument: &str) -> Known<'_> {
        if self.is_unknown(argument) {
            return Known::Unknown;
        }
        match self.change.after.get(argument) {
            None | Some(Value::Null) => Known::Absent,
            Some(Value::String(text)) => Known::Text(Cow::Borrowed(text)),
            Some(other) => Known::Text(Cow::Owned(other.to_string())),
        }
    }

    /// Whether an argument or a part of it is only known after the apply.
    pub fn is_unknown(&self, argument: &str) -> bool {
        self.change.after_unknown.get(argument).is_some_and(has_true)
    }

    /// The resource without keys of instances, as the configuration calls it.
    pub fn resource(&self) -> String {
        let module = self.module_address.as_deref().map(without_keys);
        let dot = if module.is_some() { "." } else { "" };
        format!("{}{dot}{}.{}", module.unwrap_or_default(), self.resource_type, self.name)
    }
}

/// Whether a marker of Terraform, which has the form of a value, marks anything.
pub fn has_true(marker: &Value) -> bool {
    match marker {
        Value::Bool(mark) => *mark,
        Value::Array(items) => items.iter().any(has_true),
        Value::Object(members) => members.values().any(has_true),
        Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

/// `module.a.module.b` for `module.a["x"].module.b[0]`.
fn without_keys(address: &str) -> String {
    let mut out = String::new();
    let mut characters = address.chars();
    while let Some(c) = characters.next() {
        if c != '[' {
            out.push(c);
            continue;
        }
        let mut is_quoted = false;
        while let Some(c) = characters.next() {
            match c {
                '\\' if is_quoted => drop(characters.next()),
                '"' => is_quoted = !is_quoted,
                ']' if !is_quoted => break,
                _ => {}
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_instances_are_left_out() {
        assert_eq!(without_keys("module.a"), "module.a");
        assert_eq!(without_keys(r#"module.a["x]\"].module.c"].module.b[0]"#), "module.a.module.b");
    }

    #[test]
    fn what_is_no_plan_is_an_error() {
        let change = |actions: &str| {
            format!(
                r#"{{"format_version":"1.2","planned_values":{{}},"configuration":{{}},"resource_changes":[
                {{"address":"a.b","mode":"managed","type":"a","change":{{"actions":{actions}}}}}]}}"#
            )
        };
        assert!(Plan::parse(&change(r#"["create"]"#)).is_ok());
        for (text, saying) in [
            ("", "not valid JSON"),
            ("{}", "no `format_version`"),
            (r#"{"format_version":"1.0","values":{}}"#, "it is no plan"),
            (r#"{"format_version":"2.0","planned_values":{},"configuration":{}}"#, "version `2.0`"),
            (r#"{"format_version":1,"planned_values":{},"configuration":{}}"#, "understood"),
            (&change(r#"["explode"]"#), "not known"),
            (&change("[]"), "not known"),
            (&change(r#"["delete","delete"]"#), "not known"),
            (&change(r#"["create"]"#).replace("managed", "other"), "unknown variant"),
        ] {
            let error = Plan::parse(text).unwrap_err().to_string();
            assert!(error.contains(saying), "{text}: {error}");
        }
    }
}
