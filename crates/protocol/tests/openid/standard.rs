//! What the standards and the conformance suite publish as examples: the good is read, the bad and the old is refused.

use serde_json::{Value, json};
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vci::authorization;
use vouchsafe_protocol::openid4vci::credential::{Received, read_response};
use vouchsafe_protocol::openid4vci::errors::{CredentialError, TokenError};
use vouchsafe_protocol::openid4vci::metadata::{
    Configuration, IssuerMetadata, MAX_METADATA, MetadataError, ServerMetadata,
};
use vouchsafe_protocol::openid4vci::offer::{Offer, OfferError};
use vouchsafe_protocol::openid4vci::signed;

use crate::district::{District, NOW};
use crate::provider::Ring;

macro_rules! vector {
    ($path:literal) => {
        include_str!(concat!("../../../../specs/vectors/", $path))
    };
}

macro_rules! suite {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../specs/vectors/oidf-conformance-suite/metadata/openid4vci-1_0/",
            $name,
            ".json"
        ))
    };
}

/// Reads metadata as that of whoever it names.
fn read(text: &str) -> Result<IssuerMetadata, MetadataError> {
    let value: Value = serde_json::from_str(text).unwrap();
    IssuerMetadata::parse(text.as_bytes(), value["credential_issuer"].as_str().unwrap_or_default())
}

#[test]
pub(crate) fn issuer_metadata_of_the_conformance_suite() {
    for (name, text) in [
        ("null in a path", suite!("valid-openid-credential-issuer-metadata-claims-path-pointer-null")),
        ("eudiw", suite!("valid-openid-credential-issuer-metadata-eudiw")),
        ("full", suite!("valid-openid-credential-issuer-metadata-mock-full")),
        ("minimal", suite!("valid-openid-credential-issuer-metadata-mock-minimal")),
        ("claims", suite!("valid-openid-credential-issuer-metadata-spec-DcSdJwt-claims-example")),
        ("no vct", suite!("valid-openid-credential-issuer-metadata-spec-DcSdJwt-claims-missing-vct-example")),
        ("appendix", suite!("valid-openid-credential-issuer-metadata-spec-appendix-example")),
        ("city pass", suite!("credential-issuer-metadata-dresden-komm-pass")),
    ] {
        assert_eq!(read(text).err(), None, "{name}");
    }
    for (text, expected) in [
        (
            suite!("invalid-openid-credential-issuer-metadata-bdr-example1"),
            MetadataError::OlderDraft("batch_credential_endpoint"),
        ),
        (
            suite!("invalid-openid-credential-issuer-metadata-ebsi"),
            MetadataError::OlderDraft("credentials_supported"),
        ),
        (
            suite!("invalid-openid-credential-issuer-metadata-invalid-type-for-authorization-servers"),
            MetadataError::Malformed,
        ),
        (
            suite!(
                "invalid-openid-credential-issuer-metadata-missing-required-property-in-optional-property"
            ),
            MetadataError::Malformed,
        ),
        (
            suite!("invalid-openid-credential-issuer-metadata-missing-required-property"),
            MetadataError::Malformed,
        ),
        (
            suite!("invalid-openid-credential-issuer-metadata-request-encryption-jwks-as-array"),
            MetadataError::Malformed,
        ),
    ] {
        assert_eq!(read(text).err(), Some(expected), "{text}");
    }
    // What is read is not yet what this wallet can hold: a type without vct, keys that must be attested.
    let no_vct = suite!("valid-openid-credential-issuer-metadata-spec-DcSdJwt-claims-missing-vct-example");
    let offered = ["SD_JWT_VC_example_in_OpenID4VCI".to_owned()];
    assert_eq!(read(no_vct).unwrap().offered(&offered).err(), Some(MetadataError::Unsupported));
}

#[test]
pub(crate) fn server_metadata_of_the_conformance_suite() {
    let read = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        ServerMetadata::parse(text.as_bytes(), value["issuer"].as_str().unwrap_or_default()).err()
    };
    let invalid = suite!("invalid-oauth-authorization-server-metadata-multiple-errors");
    assert_eq!(read(invalid), Some(MetadataError::Malformed));
    // Good documents of servers that are of no use here: one has no token endpoint, one takes no pre-authorised code.
    assert_eq!(read(suite!("valid-oauth-authorization-server-metadata-mock")), Some(MetadataError::Endpoint));
    assert_eq!(
        read(suite!("valid-oauth-authorization-server-metadata-mock-full")),
        Some(MetadataError::Grant)
    );
}

#[test]
pub(crate) fn members_of_drafts() {
    let minimal: Value =
        serde_json::from_str(suite!("valid-openid-credential-issuer-metadata-mock-minimal")).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut spoiled = minimal.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        spoiled.pointer_mut(parent).unwrap()[name] = value;
        read(&spoiled.to_string()).err()
    };
    let claims = "/credential_configurations_supported/ExampleCredential/claims";
    assert_eq!(with(claims, json!({"name": {}})), Some(MetadataError::OlderDraft("claims")));
    assert_eq!(
        with("/authorization_server", json!("a")),
        Some(MetadataError::OlderDraft("authorization_server"))
    );
    assert_eq!(with("/batch_credential_issuance", json!({"batch_size": 1})), Some(MetadataError::Malformed));
    for endpoint in ["/nonce_endpoint", "/deferred_credential_endpoint", "/notification_endpoint"] {
        assert_eq!(with(endpoint, json!("http://issuer.example.com/")), Some(MetadataError::Endpoint));
    }
}

#[test]
pub(crate) fn configurations_of_the_standard() {
    for (text, format) in [
        (vector!("openid4vci-1.0/examples/credential_metadata_jwt_vc_json.json"), "jwt_vc_json"),
        (vector!("openid4vci-1.0/examples/credential_metadata_ldp_vc.json"), "ldp_vc"),
        (vector!("openid4vci-1.0/examples/credential_metadata_mso_mdoc.json"), "mso_mdoc"),
        (vector!("openid4vci-1.0/examples/credential_metadata_sd_jwt_vc.json"), "dc+sd-jwt"),
    ] {
        let value: Value = serde_json::from_str(text).unwrap();
        let all = value["credential_configurations_supported"].as_object().unwrap();
        for one in all.values() {
            let read: Configuration = json::of_value(one.clone()).unwrap();
            assert_eq!(read.format, format);
        }
    }
    let old: Value =
        serde_json::from_str(vector!("haip-1.0/examples/credential_metadata_sd_jwt_vc.json")).unwrap();
    let metadata = json!({"credential_issuer": "https://i.example", "credential_endpoint": "https://i.example/c",
        "credential_configurations_supported": {"old": old}});
    assert_eq!(read(&metadata.to_string()).err(), Some(MetadataError::OlderDraft("claims")));
}

#[test]
pub(crate) fn offers_and_requests_of_drafts() {
    let offer = vector!("haip-1.0/examples/credential_offer_sd_jwt_vc.json");
    assert_eq!(Offer::parse(offer.as_bytes()), Err(OfferError::OlderDraft("credentials")));
    let request = |text: &str| Received::plain(text.as_bytes()).err();
    let malformed = Some(CredentialError::InvalidCredentialRequest);
    assert_eq!(request(vector!("openid4vci-1.0/examples/credential_request_iso_mdl.json")), malformed);
    // The example breaks a string over two lines, which is no JSON.
    assert_eq!(request(vector!("haip-1.0/examples/credential_request_sd_jwt_vc.json")), malformed);
    let details = vector!("haip-1.0/examples/authorization_details_sd_jwt_vc.json");
    assert_eq!(authorization::parse(details).err(), Some(TokenError::InvalidAuthorizationDetails));
}

#[test]
pub(crate) fn authorisation_details_of_the_standard() {
    for text in [
        vector!("openid4vci-1.0/examples/authorization_details.json"),
        vector!("openid4vci-1.0/examples/authorization_details_jwt_vc_json.json"),
        vector!("openid4vci-1.0/examples/authorization_details_ldp_vc.json"),
        vector!("openid4vci-1.0/examples/authorization_details_mso_doc.json"),
        vector!("openid4vci-1.0/examples/authorization_details_sd_jwt_vc.json"),
    ] {
        assert_eq!(authorization::parse(text).unwrap().len(), 1);
    }
    let two = vector!("openid4vci-1.0/examples/authorization_details_multiple_credentials.json");
    assert_eq!(authorization::parse(two).unwrap()[1].credential_configuration_id, "org.iso.18013.5.1.mDL");
    let elsewhere = vector!("openid4vci-1.0/examples/authorization_details_with_as.json");
    let elsewhere = authorization::parse(elsewhere).unwrap();
    assert!(
        elsewhere[0].is_for("https://credential-issuer.example.com")
            && !elsewhere[0].is_for("https://a.example")
    );
}

/// The examples break strings over lines for the page; without the breaks they are JSON.
fn body(example: &str) -> String {
    let body = example[example.find('{').unwrap()..].lines().map(str::trim);
    body.collect()
}

#[test]
pub(crate) fn responses_of_the_standard() {
    for text in [
        vector!("openid4vci-1.0/examples/credential_response_jwt_vc_json.txt"),
        vector!("openid4vci-1.0/examples/credential_response_mso_mdoc.txt"),
        vector!("openid4vci-1.0/examples/credential_response_sd_jwt_vc.txt"),
    ] {
        let copies = read_response(body(text).as_bytes()).unwrap().copies().unwrap();
        assert!(copies.len() == 1 && copies[0].openings.is_none());
    }
    // A credential that is an object is of a format that is not held here.
    let object = body(vector!("openid4vci-1.0/examples/credential_response_ldp_vc.txt"));
    assert!(read_response(object.as_bytes()).is_err());
}

#[test]
pub(crate) fn signed_metadata_of_the_standard() {
    let text: String = vector!("openid4vci-1.0/examples/credential_issuer_metadata_sd_jwt_jwt.txt")
        .split_whitespace()
        .collect();
    let issuer = "https://credential-issuer.example.com";
    let token = Compact::parse(&text, signed::MAX_SIGNED).unwrap();
    assert!(token.header().is_typ(signed::TYP) && token.header().x5c().is_some());
    let payload = json::object(token.dangerous_payload(), MAX_METADATA).unwrap();
    assert_eq!(payload["sub"], issuer);
    assert!(IssuerMetadata::parse(token.dangerous_payload(), issuer).is_ok());
    // Its certificate vouches for itself, which nobody takes.
    let district = District::new();
    let expected = signed::Expected { issuer, anchors: std::slice::from_ref(&district.anchor), now: NOW };
    assert_eq!(signed::verify(&text, &expected, &Ring).err(), Some(MetadataError::Signature));
}
