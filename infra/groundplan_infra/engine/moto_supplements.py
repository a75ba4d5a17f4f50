"""Calls that moto 5.2.5 does not know; things are kept as they were sent, nothing more. `moto_routes` finds them."""

import time
import uuid

from moto.core import DEFAULT_ACCOUNT_ID
from moto.guardduty.models import guardduty_backends

from groundplan_infra.engine.moto_routes import STORE, Body, Call, route


def now() -> float:
    """Seconds since 1970."""
    return time.time()


# IAM Access Analyzer
@route("access-analyzer", "PUT", "/analyzer")
def create_analyzer(call: Call) -> Body:
    name = call.body["analyzerName"]
    arn = call.arn("access-analyzer", f"analyzer/{name}")
    analyzer = {
        "arn": arn,
        "name": name,
        "type": call.body["type"],
        "status": "ACTIVE",
        "createdAt": "2026-01-01T00:00:00Z",
    }
    STORE.put("analyzer", name, thing={**analyzer, "tags": call.body.get("tags", {})})
    return {"arn": arn}


@route("access-analyzer", "GET", "/analyzer/([^/]+)")
def get_analyzer(call: Call) -> Body:
    return {"analyzer": STORE.get("analyzer", *call.parts)}


@route("access-analyzer", "DELETE", "/analyzer/([^/]+)")
def delete_analyzer(call: Call) -> Body:
    STORE.pop("analyzer", *call.parts)
    return {}


@route("access-analyzer", "GET", "/tags/(.+)")
def analyzer_tags(call: Call) -> Body:
    return {"tags": STORE.get("analyzer", call.parts[0].rsplit("/", 1)[-1])["tags"]}


@route("access-analyzer", "POST", "/tags/(.+)")
def tag_analyzer(call: Call) -> Body:
    STORE.get("analyzer", call.parts[0].rsplit("/", 1)[-1])["tags"].update(call.body["tags"])
    return {}


# GuardDuty: moto keeps the tags of a detector, but lets nobody change them
@route("guardduty", "POST", "/tags/(arn:aws:guardduty:.+)")
def tag_detector(call: Call) -> Body:
    detectors = guardduty_backends[DEFAULT_ACCOUNT_ID][call.region].detectors
    detectors[call.parts[0].rsplit("/", 1)[-1]].tags.update(call.body["tags"])
    return {}


# Cost Explorer: monitors and subscriptions of anomalies
def anomaly_calls(kind: str, lists: str, missing: str) -> None:
    """The calls of monitors, which are those of subscriptions too."""

    @route("ce", "POST", f"CreateAnomaly{kind}")
    def create(call: Call) -> Body:
        arn = f"arn:aws:ce::{DEFAULT_ACCOUNT_ID}:anomaly{kind.lower()}/{uuid.uuid4()}"
        thing = {**call.body[f"Anomaly{kind}"], f"{kind}Arn": arn}
        STORE.put(kind, arn, thing=thing)
        STORE.put("ce-tags", arn, thing={"ResourceTags": call.body.get("ResourceTags", [])})
        return {f"{kind}Arn": arn}

    @route("ce", "POST", f"GetAnomaly{kind}s")
    def get(call: Call) -> Body:
        wanted = call.body.get(lists) or []
        found = [STORE.get(kind, arn, missing=missing) for arn in wanted] if wanted else STORE.below(kind)
        return {f"Anomaly{kind}s": found}

    @route("ce", "POST", f"UpdateAnomaly{kind}")
    def update(call: Call) -> Body:
        arn = call.body[f"{kind}Arn"]
        STORE.get(kind, arn, missing=missing).update(call.body)
        return {f"{kind}Arn": arn}

    @route("ce", "POST", f"DeleteAnomaly{kind}")
    def delete(call: Call) -> Body:
        STORE.pop(kind, call.body[f"{kind}Arn"])
        return {}


anomaly_calls("Monitor", "MonitorArnList", "UnknownMonitorException")
anomaly_calls("Subscription", "SubscriptionArnList", "UnknownSubscriptionException")


@route("ce", "POST", "ListTagsForResource")
def cost_tags(call: Call) -> Body:
    return STORE.get("ce-tags", call.body["ResourceArn"])


# AWS Backup: selections and restore tests
@route("backup", "PUT", "/backup/plans/([^/]+)/selections/?")
def create_selection(call: Call) -> Body:
    number = str(uuid.uuid4())
    selection = {"SelectionId": number, "BackupPlanId": call.parts[0], "CreationDate": now()}
    STORE.put("selection", call.parts[0], number, thing={**selection, **call.body})
    return selection


@route("backup", "GET", "/backup/plans/([^/]+)/selections/([^/]+)")
def get_selection(call: Call) -> Body:
    return STORE.get("selection", *call.parts)


@route("backup", "DELETE", "/backup/plans/([^/]+)/selections/([^/]+)")
def delete_selection(call: Call) -> Body:
    STORE.pop("selection", *call.parts)
    return {}


@route("backup", "GET", "/backup-vaults/([^/]+)/recovery-points/?")
def list_recovery_points(call: Call) -> Body:
    return {"RecoveryPoints": []}


@route("backup", "PUT", "/restore-testing/plans")
def create_restore_plan(call: Call) -> Body:
    plan: Body = {**call.body["RestoreTestingPlan"], "CreationTime": now()}
    name = plan["RestoreTestingPlanName"]
    arn = call.arn("backup", f"restore-testing-plan:{name}-{uuid.uuid4()}")
    plan["RestoreTestingPlanArn"] = arn
    STORE.put("restore", name, thing={"RestoreTestingPlan": plan})
    STORE.put("backup-tags", arn, thing={"Tags": call.body.get("Tags", {})})
    return plan


@route("backup", "GET", "/restore-testing/plans/([^/]+)")
def get_restore_plan(call: Call) -> Body:
    return STORE.get("restore", *call.parts)


@route("backup", "DELETE", "/restore-testing/plans/([^/]+)")
def delete_restore_plan(call: Call) -> Body:
    STORE.pop("restore", *call.parts)
    return {}


@route("backup", "PUT", "/restore-testing/plans/([^/]+)/selections")
def create_restore_selection(call: Call) -> Body:
    selection: Body = {
        **call.body["RestoreTestingSelection"],
        "RestoreTestingPlanName": call.parts[0],
        "CreationTime": now(),
    }
    name = selection["RestoreTestingSelectionName"]
    STORE.put("restore-selection", call.parts[0], name, thing={"RestoreTestingSelection": selection})
    return {"RestoreTestingPlanName": call.parts[0], "RestoreTestingSelectionName": name, "CreationTime": now()}


@route("backup", "GET", "/restore-testing/plans/([^/]+)/selections/([^/]+)")
def get_restore_selection(call: Call) -> Body:
    return STORE.get("restore-selection", *call.parts)


@route("backup", "DELETE", "/restore-testing/plans/([^/]+)/selections/([^/]+)")
def delete_restore_selection(call: Call) -> Body:
    STORE.pop("restore-selection", *call.parts)
    return {}


@route("backup", "GET", "/tags/(arn:aws:backup:[^:]+:[^:]+:restore-testing-plan:[^/]+)/?")
def restore_tags(call: Call) -> Body:
    return STORE.get("backup-tags", call.parts[0])


# EKS: add-ons, access entries, pod identity
@route("eks", "POST", "/clusters/([^/]+)/addons")
def create_addon(call: Call) -> Body:
    cluster, name = call.parts[0], call.body["addonName"]
    addon = {
        "addonName": name,
        "clusterName": cluster,
        "status": "ACTIVE",
        "addonVersion": call.body.get("addonVersion", "v1.0.0-eksbuild.1"),
        "addonArn": call.arn("eks", f"addon/{cluster}/{name}/{uuid.uuid4()}"),
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": call.body.get("tags", {}),
    }
    return {"addon": STORE.put("addon", cluster, name, thing=addon)}


@route("eks", "GET", "/clusters/([^/]+)/addons/([^/]+)")
def get_addon(call: Call) -> Body:
    return {"addon": STORE.get("addon", *call.parts)}


@route("eks", "DELETE", "/clusters/([^/]+)/addons/([^/]+)")
def delete_addon(call: Call) -> Body:
    return {"addon": STORE.pop("addon", *call.parts)}


@route("eks", "POST", "/clusters/([^/]+)/access-entries")
def create_access_entry(call: Call) -> Body:
    cluster, principal = call.parts[0], call.body["principalArn"]
    entry = {
        "clusterName": cluster,
        "principalArn": principal,
        "kubernetesGroups": call.body.get("kubernetesGroups", []),
        "accessEntryArn": call.arn("eks", f"access-entry/{cluster}/{uuid.uuid4()}"),
        "type": call.body.get("type", "STANDARD"),
        "username": call.body.get("username", principal),
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": call.body.get("tags", {}),
    }
    return {"accessEntry": STORE.put("access", cluster, principal, thing=entry)}


@route("eks", "GET", "/clusters/([^/]+)/access-entries/([^/]+/[^/]+)")
def get_access_entry(call: Call) -> Body:
    return {"accessEntry": STORE.get("access", *call.parts)}


@route("eks", "DELETE", "/clusters/([^/]+)/access-entries/([^/]+/[^/]+)")
def delete_access_entry(call: Call) -> Body:
    STORE.pop("access", *call.parts)
    return {}


@route("eks", "POST", "/clusters/([^/]+)/access-entries/([^/]+/[^/]+)/access-policies")
def associate_access_policy(call: Call) -> Body:
    cluster, principal = call.parts
    policy = {**call.body, "associatedAt": now(), "modifiedAt": now()}
    STORE.put("access-policy", cluster, principal, call.body["policyArn"], thing=policy)
    return {"clusterName": cluster, "principalArn": principal, "associatedAccessPolicy": policy}


@route("eks", "GET", "/clusters/([^/]+)/access-entries/([^/]+/[^/]+)/access-policies")
def list_access_policies(call: Call) -> Body:
    cluster, principal = call.parts
    found = STORE.below("access-policy", cluster, principal)
    return {"clusterName": cluster, "principalArn": principal, "associatedAccessPolicies": found}


@route("eks", "DELETE", "/clusters/([^/]+)/access-entries/([^/]+/[^/]+)/access-policies/(.+)")
def disassociate_access_policy(call: Call) -> Body:
    STORE.pop("access-policy", *call.parts)
    return {}


@route("eks", "POST", "/clusters/([^/]+)/pod-identity-associations")
def create_pod_identity(call: Call) -> Body:
    cluster, number = call.parts[0], f"a-{uuid.uuid4().hex[:16]}"
    association = {
        **{key: call.body[key] for key in ("namespace", "serviceAccount", "roleArn")},
        "clusterName": cluster,
        "associationId": number,
        "associationArn": call.arn("eks", f"podidentityassociation/{cluster}/{number}"),
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": call.body.get("tags", {}),
    }
    return {"association": STORE.put("pods", cluster, number, thing=association)}


@route("eks", "GET", "/clusters/([^/]+)/pod-identity-associations/([^/]+)")
def get_pod_identity(call: Call) -> Body:
    return {"association": STORE.get("pods", *call.parts)}


@route("eks", "DELETE", "/clusters/([^/]+)/pod-identity-associations/([^/]+)")
def delete_pod_identity(call: Call) -> Body:
    return {"association": STORE.pop("pods", *call.parts)}


# Amazon Q in chat applications (AWS Chatbot)
@route("chatbot", "POST", "/create-slack-channel-configuration")
def create_slack_channel(call: Call) -> Body:
    arn = f"arn:aws:chatbot::{DEFAULT_ACCOUNT_ID}:chat-configuration/slack-channel/{call.body['ConfigurationName']}"
    channel = {**call.body, "ChatConfigurationArn": arn, "SlackTeamName": "team", "State": "ENABLED"}
    return {"ChannelConfiguration": STORE.put("slack", arn, thing=channel)}


@route("chatbot", "POST", "/describe-slack-channel-configurations")
def describe_slack_channels(call: Call) -> Body:
    wanted = call.body.get("ChatConfigurationArn")
    found = [each for each in STORE.below("slack") if wanted in (None, each["ChatConfigurationArn"])]
    return {"SlackChannelConfigurations": found}


@route("chatbot", "POST", "/delete-slack-channel-configuration")
def delete_slack_channel(call: Call) -> Body:
    STORE.pop("slack", call.body["ChatConfigurationArn"])
    return {}


@route("chatbot", "POST", "/list-tags-for-resource")
def slack_tags(call: Call) -> Body:
    tags = STORE.get("slack", call.body["ResourceARN"]).get("Tags", [])
    return {"Tags": tags}
