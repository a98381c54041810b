//! The structure of an organization, as the fake AWS tells it: units, accounts, delegated
//! administrators, the resource policy.

use serde_json::{Value, json};

use super::fake_aws::{ACCOUNT, Page, Request, ServiceError, World};

pub const ROOT: &str = "r-a1b2";

/// What an organization is made of.
#[derive(Clone)]
pub struct Structure {
    pub units: Vec<Unit>,
    pub accounts: Vec<Member>,
    /// IDs of accounts, each with the services that it administers.
    pub administrators: Vec<(String, Vec<String>)>,
    pub resource_policy: Option<Value>,
    /// Which of the two members that tell an account's state AWS gives.
    pub has_state: bool,
    pub has_status: bool,
}

#[derive(Clone)]
pub struct Unit {
    pub id: String,
    pub name: String,
    pub parent: String,
}

#[derive(Clone)]
pub struct Member {
    pub id: String,
    pub parent: String,
    pub state: String,
}

impl Structure {
    /// Two units, one in the other, the management account and three more accounts.
    pub fn small() -> Structure {
        let unit = |id: &str, parent: &str| Unit {
            id: id.to_owned(),
            name: format!("unit {id}"),
            parent: parent.to_owned(),
        };
        let member = |id: &str, parent: &str| Member {
            id: id.to_owned(),
            parent: parent.to_owned(),
            state: "ACTIVE".to_owned(),
        };
        Structure {
            units: vec![
                unit("ou-a1b2-bbbbbbbb", ROOT),
                unit("ou-a1b2-aaaaaaaa", "ou-a1b2-bbbbbbbb"),
            ],
            accounts: vec![
                member(ACCOUNT, ROOT),
                member("444455556666", ROOT),
                member("444455556667", "ou-a1b2-bbbbbbbb"),
                member("444455556668", "ou-a1b2-aaaaaaaa"),
            ],
            administrators: vec![(
                "444455556666".to_owned(),
                vec!["ram.amazonaws.com".to_owned(), "config.amazonaws.com".to_owned()],
            )],
            resource_policy: Some(json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "One", "Effect": "Allow", "Principal": {"AWS": "444455556666"},
                "Action": "organizations:List*", "Resource": "*",
            }]})),
            has_state: true,
            has_status: true,
        }
    }

    fn parent_of(&self, child: &str) -> Option<&str> {
        let unit = self.units.iter().find(|unit| unit.id == child).map(|unit| &unit.parent);
        let account = || self.accounts.iter().find(|account| account.id == child);
        unit.or_else(|| account().map(|account| &account.parent)).map(String::as_str)
    }

    fn has_parent(&self, id: &str) -> bool {
        id == ROOT || self.units.iter().any(|unit| unit.id == id)
    }

    fn account(&self, member: &Member) -> Value {
        let id = &member.id;
        let mut found = json!({
            "Id": id, "Name": format!("account {id}"), "Email": format!("{id}@example.com"),
            "Arn": arn("account", id), "JoinedMethod": "CREATED",
            "JoinedTimestamp": 1_714_979_289.123,
        });
        if self.has_state {
            found["State"] = json!(member.state);
        }
        if self.has_status {
            found["Status"] = json!(member.state);
        }
        found
    }

    /// An answer; none: the operation is about something else.
    pub(super) fn answer(
        &self,
        request: &Request,
        page: &dyn Fn(Vec<Value>) -> Page<Value>,
    ) -> Option<Result<String, ServiceError>> {
        let parameter = |name: &str| request.parameter(name).to_owned();
        let refused = |code| ServiceError { status: 400, code, message: "refused".to_owned() };
        let list = |member: &str, items: Vec<Value>| {
            let page = page(items);
            let items = page.items.clone();
            Ok(page.json(member, items))
        };
        let unit =
            |unit: &Unit| json!({"Id": unit.id, "Name": unit.name, "Arn": arn("ou", &unit.id)});
        Some(match request.operation.as_str() {
            "ListRoots" => list(
                "Roots",
                vec![json!({
                    "Id": ROOT, "Name": "Root", "Arn": arn("root", ROOT), "PolicyTypes": [],
                })],
            ),
            "ListOrganizationalUnitsForParent" | "ListAccountsForParent"
                if !self.has_parent(&parameter("ParentId")) =>
            {
                Err(refused("ParentNotFoundException"))
            }
            "ListOrganizationalUnitsForParent" => {
                let units = self.units.iter().filter(|it| it.parent == parameter("ParentId"));
                list("OrganizationalUnits", units.map(unit).collect())
            }
            "ListAccountsForParent" => {
                let accounts = self.accounts.iter().filter(|it| it.parent == parameter("ParentId"));
                list("Accounts", accounts.map(|account| self.account(account)).collect())
            }
            "ListAccounts" => {
                list("Accounts", self.accounts.iter().map(|it| self.account(it)).collect())
            }
            "DescribeOrganizationalUnit" => {
                match self.units.iter().find(|it| it.id == parameter("OrganizationalUnitId")) {
                    Some(found) => Ok(json!({"OrganizationalUnit": unit(found)}).to_string()),
                    None => Err(refused("OrganizationalUnitNotFoundException")),
                }
            }
            "DescribeAccount" => {
                match self.accounts.iter().find(|it| it.id == parameter("AccountId")) {
                    Some(found) => Ok(json!({"Account": self.account(found)}).to_string()),
                    None => Err(refused("AccountNotFoundException")),
                }
            }
            "ListParents" => match self.parent_of(&parameter("ChildId")) {
                Some(ROOT) => list("Parents", vec![json!({"Id": ROOT, "Type": "ROOT"})]),
                Some(id) => list("Parents", vec![json!({"Id": id, "Type": "ORGANIZATIONAL_UNIT"})]),
                None => Err(refused("ChildNotFoundException")),
            },
            "ListDelegatedAdministrators" => {
                let administrators = self.administrators.iter().filter_map(|(id, _)| {
                    let member = self.accounts.iter().find(|account| account.id == *id)?;
                    let mut found = self.account(member);
                    found["DelegationEnabledDate"] = json!(1_714_979_300.456);
                    Some(found)
                });
                list("DelegatedAdministrators", administrators.collect())
            }
            "ListDelegatedServicesForAccount" => {
                let id = parameter("AccountId");
                match self.administrators.iter().find(|(found, _)| *found == id) {
                    Some((_, services)) => {
                        let services = services.iter().map(|service| {
                            json!({"ServicePrincipal": service, "DelegationEnabledDate": 1_714_979_300.456})
                        });
                        list("DelegatedServices", services.collect())
                    }
                    None => Err(refused("AccountNotRegisteredException")),
                }
            }
            "DescribeResourcePolicy" => match &self.resource_policy {
                Some(content) => Ok(json!({"ResourcePolicy": {
                    "ResourcePolicySummary": {
                        "Id": "rp-a1b2c3d4", "Arn": arn("resourcepolicy", "rp-a1b2c3d4"),
                    },
                    "Content": content.to_string(),
                }})
                .to_string()),
                None => Err(refused("ResourcePolicyNotFoundException")),
            },
            "ListTagsForResource" if !parameter("ResourceId").starts_with("p-") => {
                let id = parameter("ResourceId");
                let is_there = self.parent_of(&id).is_some()
                    || id.starts_with("rp-") && self.resource_policy.is_some();
                match is_there {
                    true => list("Tags", vec![json!({"Key": "of", "Value": id})]),
                    false => Err(refused("TargetNotFoundException")),
                }
            }
            "ListPoliciesForTarget" => list("Policies", Vec::new()),
            _ => return None,
        })
    }
}

fn arn(sort: &str, id: &str) -> String {
    format!("arn:aws:organizations::{ACCOUNT}:{sort}/o-example00/{id}")
}

impl World {
    /// The same, with a structure.
    pub fn with_structure(self, structure: Structure) -> World {
        World { structure: Some(structure), ..self }
    }
}
