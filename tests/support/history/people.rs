//! Users and groups of a [`History`]: made, renamed, given policies, put into groups, and gone again.

use std::collections::BTreeMap;

use serde_json::json;

use super::{History, PATHS, Principal, copy, element, keys};

const USER_NAMES: &[&str] = &["deploy", "alice@example.com", "Alice@example.com", "bob+x=1,2.-"];
const GROUP_NAMES: &[&str] = &["deploy", "Admins", "admins", "on=call+1,@night.-"];
const INLINE: &[&str] = &["access", "Access", "own=keys,1"];

/// A user or a group: what IAM lets people do with the one it calls by another name for the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    User,
    Group,
}

impl Sort {
    /// `AttachUserPolicy` of `AttachPolicy`.
    fn operation(self, verb: &str, what: &str) -> String {
        format!("{verb}{}{what}", if self == Sort::User { "User" } else { "Group" })
    }

    fn parameter(self) -> &'static str {
        if self == Sort::User { "userName" } else { "groupName" }
    }
}

impl History {
    fn people(&mut self, sort: Sort) -> &mut BTreeMap<String, Principal> {
        match sort {
            Sort::User => &mut self.account.users,
            Sort::Group => &mut self.account.groups,
        }
    }

    fn anybody(&mut self, sort: Sort) -> Option<String> {
        let names = keys(self.people(sort));
        self.random.pick(&names)
    }

    fn a_sort(&mut self) -> Sort {
        if self.random.percent(65) { Sort::User } else { Sort::Group }
    }

    fn new_person(&mut self, sort: Sort) -> Option<(String, bool)> {
        let taken = keys(self.people(sort));
        match sort {
            Sort::User => self.new_name(USER_NAMES, self.options.users, &taken),
            Sort::Group => self.new_name(GROUP_NAMES, self.options.groups, &taken),
        }
    }

    pub(super) fn create_person(&mut self) -> Option<()> {
        let sort = self.a_sort();
        let (name, is_free) = self.new_person(sort)?;
        let path = self.one_of(PATHS);
        let operation = sort.operation("Create", "");
        let mut request = json!({ sort.parameter(): name, "path": path });
        let mut boundary = None;
        if sort == Sort::User {
            self.add_tags(&mut request);
            boundary = if self.random.percent(20) { Some(self.policy_arn()) } else { None };
            if let Some(arn) = &boundary {
                request["permissionsBoundary"] = arn.as_str().into();
            }
        }
        if !is_free {
            return self.refused("iam", &operation, request, "EntityAlreadyExists");
        }
        let answer = self.api.iam(&operation, &request);
        let (member, id) = match sort {
            Sort::User => ("user", "userId"),
            Sort::Group => ("group", "groupId"),
        };
        let id_element = if sort == Sort::User { "UserId" } else { "GroupId" };
        let mut made = json!({
            "path": path,
            sort.parameter(): name,
            id: element(&answer, id_element),
            "arn": element(&answer, "Arn"),
            "createDate": self.trail.date(),
        });
        copy(&request, &mut made, &["tags"]);
        self.record("iam", &operation, request, Ok(json!({ member: made })));
        self.people(sort).insert(name, Principal { boundary, ..Principal::default() });
        Some(())
    }

    pub(super) fn delete_person(&mut self) -> Option<()> {
        let sort = self.a_sort();
        let name = self.anybody(sort)?;
        let request = json!({ sort.parameter(): name });
        let operation = sort.operation("Delete", "");
        let memberships: Vec<_> = self
            .account
            .memberships
            .iter()
            .filter(|(user, group)| *(if sort == Sort::User { user } else { group }) == name)
            .cloned()
            .collect();
        let person = &self.people(sort)[&name];
        let (attached, inline) = (person.attached.clone(), person.inline.clone());
        let is_free = attached.is_empty() && inline.is_empty() && memberships.is_empty();
        if !is_free && self.random.percent(15) {
            return self.refused("iam", &operation, request, "DeleteConflict");
        }
        for arn in attached {
            self.detach_from_person(sort, &name, &arn);
        }
        for policy in inline {
            self.delete_persons_policy(sort, &name, &policy);
        }
        for (user, group) in memberships {
            self.leave_group(&user, &group);
        }
        self.people(sort).remove(&name);
        self.change(&operation, request)
    }

    /// Gives one another name, another path, or both.
    pub(super) fn update_person(&mut self) -> Option<()> {
        let sort = self.a_sort();
        let name = self.anybody(sort)?;
        let mut request = json!({ sort.parameter(): name });
        let (new_path, new_name) = match sort {
            Sort::User => ("newPath", "newUserName"),
            Sort::Group => ("newPath", "newGroupName"),
        };
        let operation = sort.operation("Update", "");
        if self.random.percent(30) {
            request[new_path] = self.one_of(PATHS).into();
            if self.random.percent(60) {
                return self.change(&operation, request);
            }
        }
        let (new, is_free) = self.new_person(sort)?;
        request[new_name] = new.as_str().into();
        if !is_free {
            return self.refused("iam", &operation, request, "EntityAlreadyExists");
        }
        let person = self.people(sort).remove(&name).expect("it was picked");
        self.people(sort).insert(new.clone(), person);
        let renamed = |of: String| if of == name { new.clone() } else { of };
        let memberships = std::mem::take(&mut self.account.memberships);
        self.account.memberships = memberships
            .into_iter()
            .map(|(user, group)| match sort {
                Sort::User => (renamed(user), group),
                Sort::Group => (user, renamed(group)),
            })
            .collect();
        self.change(&operation, request)
    }

    pub(super) fn put_persons_policy(&mut self) -> Option<()> {
        let sort = self.a_sort();
        let name = self.anybody(sort)?;
        let policy = self.one_of(INLINE);
        let document = self.document("Allow");
        self.people(sort).get_mut(&name)?.inline.insert(policy.to_owned());
        let request = json!({
            sort.parameter(): name, "policyName": policy, "policyDocument": document,
        });
        self.change(&sort.operation("Put", "Policy"), request)
    }

    pub(super) fn delete_a_persons_policy(&mut self) -> Option<()> {
        let sort = self.a_sort();
        let (name, policy) = self.person_with(sort, |it| it.inline.iter().cloned().collect())?;
        self.delete_persons_policy(sort, &name, &policy);
        Some(())
    }

    fn delete_persons_policy(&mut self, sort: Sort, name: &str, policy: &str) {
        self.people(sort).get_mut(name).expect("a person").inline.remove(policy);
        let request = json!({ sort.parameter(): name, "policyName": policy });
        self.change(&sort.operation("Delete", "Policy"), request);
    }

    pub(super) fn attach_to_person(&mut self) -> Option<()> {
        let sort = self.a_sort();
        let name = self.anybody(sort)?;
        let arn = self.policy_arn();
        let request = json!({ sort.parameter(): name, "policyArn": arn });
        if !self.people(sort).get_mut(&name)?.attached.insert(arn) {
            // AWS says yes and does nothing.
            return None;
        }
        self.change(&sort.operation("Attach", "Policy"), request)
    }

    pub(super) fn detach_from_a_person(&mut self) -> Option<()> {
        let sort = self.a_sort();
        let (name, arn) = self.person_with(sort, |it| it.attached.iter().cloned().collect())?;
        self.detach_from_person(sort, &name, &arn);
        Some(())
    }

    fn detach_from_person(&mut self, sort: Sort, name: &str, arn: &str) {
        self.people(sort).get_mut(name).expect("a person").attached.remove(arn);
        let request = json!({ sort.parameter(): name, "policyArn": arn });
        self.change(&sort.operation("Detach", "Policy"), request);
    }

    pub(super) fn put_user_permissions_boundary(&mut self) -> Option<()> {
        let name = self.anybody(Sort::User)?;
        let arn = self.policy_arn();
        self.account.users.get_mut(&name)?.boundary = Some(arn.clone());
        let request = json!({ "userName": name, "permissionsBoundary": arn });
        self.change("PutUserPermissionsBoundary", request)
    }

    pub(super) fn delete_user_permissions_boundary(&mut self) -> Option<()> {
        let (name, _) = self.person_with(Sort::User, |it| it.boundary.iter().cloned().collect())?;
        self.delete_users_boundary(&name);
        Some(())
    }

    fn delete_users_boundary(&mut self, name: &str) {
        self.account.users.get_mut(name).expect("a user").boundary = None;
        self.change("DeleteUserPermissionsBoundary", json!({ "userName": name }));
    }

    pub(super) fn tag_user(&mut self) -> Option<()> {
        let name = self.anybody(Sort::User)?;
        let request = json!({ "userName": name, "tags": self.some_tags("key", "value") });
        self.change("TagUser", request)
    }

    pub(super) fn untag_user(&mut self) -> Option<()> {
        let name = self.anybody(Sort::User)?;
        let request = json!({ "userName": name, "tagKeys": self.tag_keys() });
        self.change("UntagUser", request)
    }

    pub(super) fn join_group(&mut self) -> Option<()> {
        let (user, group) = (self.anybody(Sort::User)?, self.anybody(Sort::Group)?);
        if !self.account.memberships.insert((user.clone(), group.clone())) {
            return None;
        }
        self.change("AddUserToGroup", json!({ "userName": user, "groupName": group }))
    }

    pub(super) fn leave_a_group(&mut self) -> Option<()> {
        let memberships: Vec<_> = self.account.memberships.iter().cloned().collect();
        let (user, group) = self.random.pick(&memberships)?;
        self.leave_group(&user, &group);
        Some(())
    }

    fn leave_group(&mut self, user: &str, group: &str) {
        self.account.memberships.remove(&(user.to_owned(), group.to_owned()));
        self.change("RemoveUserFromGroup", json!({ "userName": user, "groupName": group }));
    }

    /// Takes a policy from all users and groups that have it.
    pub(super) fn take_from_people(&mut self, arn: &str) {
        for sort in [Sort::User, Sort::Group] {
            for name in keys(self.people(sort)) {
                if self.people(sort)[&name].attached.contains(arn) {
                    self.detach_from_person(sort, &name, arn);
                }
                if self.people(sort)[&name].boundary.as_deref() == Some(arn) {
                    self.delete_users_boundary(&name);
                }
            }
        }
    }

    /// One that has some of something, and one of it.
    fn person_with(
        &mut self,
        sort: Sort,
        parts: fn(&Principal) -> Vec<String>,
    ) -> Option<(String, String)> {
        let all: Vec<_> = self
            .people(sort)
            .iter()
            .flat_map(|(name, person)| {
                parts(person).into_iter().map(|part| (name.clone(), part)).collect::<Vec<_>>()
            })
            .collect();
        self.random.pick(&all)
    }
}
