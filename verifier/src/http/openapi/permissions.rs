//! The routes of permissions.

use super::{FORM, JSON, Operation, PROBLEM, R, open};
use crate::clients::Scope;

/// For services.
pub(super) const API: [Operation; 3] = [
    Operation {
        method: "get",
        path: "/v1/permissions/{id}",
        id: "readPermission",
        tag: "permissions",
        summary: "A permission with its signed record.",
        scope: Some(Scope::PermissionsRead),
        parameters: &["PermissionId", "Proof"],
        takes: None,
        gives: &[(200, "The permission.", JSON, "Permission")],
        refusals: &[R::NeedsPermissionsRead, R::NoSuchPermission],
    },
    Operation {
        method: "post",
        path: "/v1/permissions/{id}/check",
        id: "checkPermission",
        tag: "permissions",
        summary: "Whether a permission is in force, asked before each use; with `use`, which needs permissions:write, it \
                  is used by this call where it is.",
        scope: Some(Scope::PermissionsRead),
        parameters: &["PermissionId", "IdempotencyKey", "Proof"],
        takes: Some((JSON, "PermissionQuestion")),
        gives: &[(200, "How it stands.", JSON, "PermissionCheck")],
        refusals: &[
            R::NeedsPermissionsRead,
            R::NeedsPermissionsWrite,
            R::MediaType,
            R::TooLarge,
            R::PermissionQuestion,
            R::NoSuchPermission,
            R::OtherPolicy,
            R::RepeatKey,
            R::KeyTaken,
        ],
    },
    Operation {
        method: "post",
        path: "/v1/permissions/{id}/withdraw",
        id: "withdrawPermission",
        tag: "permissions",
        summary: "Take a permission back for its resident, at a counter. Again and again with the same receipt.",
        scope: Some(Scope::PermissionsWrite),
        parameters: &["PermissionId", "Proof"],
        takes: None,
        gives: &[(200, "The permission; its record is the receipt.", JSON, "Permission")],
        refusals: &[R::NeedsPermissionsWrite, R::NoSuchPermission],
    },
];

/// For wallets and browsers.
pub(super) const OPEN: [Operation; 3] = [
    Operation {
        takes: Some(("application/jwt", "Text")),
        gives: &[
            (200, "The record, and links to what is asked under the permission.", JSON, "PermissionAnswer"),
            (404, "`no-such-permission`: also for a call that is none, or came before.", PROBLEM, "Problem"),
            (429, "`too-many-calls`: too many that led nowhere.", PROBLEM, "Problem"),
        ],
        ..open(
            "post",
            "/permissions",
            "permissionCall",
            "wallets",
            "What a wallet says by a permission's key: tell me, or I take it back.",
        )
    },
    Operation {
        gives: &[(200, "The page.", "text/html", "Text")],
        ..open("get", "/withdraw", "letterPage", "pages", "Where the code of a letter is typed.")
    },
    Operation {
        takes: Some((FORM, "Any")),
        gives: &[
            (200, "Taken back: what is kept, why and how long.", "text/html", "Text"),
            (404, "No letter has this code.", "text/html", "Text"),
            (429, "Too many wrong codes.", "text/html", "Text"),
        ],
        ..open(
            "post",
            "/withdraw",
            "withdrawByLetter",
            "pages",
            "Take a permission back by the code of a letter.",
        )
    },
];
