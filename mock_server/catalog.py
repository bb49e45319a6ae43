"""Slack's vocabulary: the actions and entity types that its audit log knows.

Source: docs.slack.dev/reference/audit-logs-api/methods-actions-reference. Slack adds to
both without notice, so a client must not depend on this list being complete.
"""

from __future__ import annotations

_ACTIONS = {
    "workspace_or_org": """
        workspace_created workspace_deleted organization_created organization_deleted
        organization_renamed organization_domain_changed organization_verified
        organization_accepted_migration organization_declined_migration
        organization_public_url_updated emoji_added emoji_removed emoji_aliased emoji_renamed
        billing_address_added migration_scheduled migration_completed
        corporate_exports_approved corporate_exports_enabled manual_export_started
        manual_export_completed manual_export_downloaded manual_export_deleted
        scheduled_export_started scheduled_export_completed channels_export_started
        channels_export_completed ekm_enrolled ekm_unenrolled ekm_key_added ekm_key_removed
        ekm_clear_cache_set ekm_logging_config_set approved_orgs_added approved_orgs_removed
        idp_configuration_added idp_configuration_deleted idp_prod_configuration_updated
        domain_created domain_verified domain_deleted intune_enabled intune_disabled
        flexible_access_control_set pref.sso_setting_changed pref.two_factor_auth_changed
        pref.public_channel_retention_changed pref.private_channel_retention_changed
        pref.dm_retention_changed pref.file_retention_changed pref.retention_override_changed
        pref.block_file_download_for_unapproved_ip pref.dlp_access_changed pref.allow_calls
        pref.ent_browser_control pref.custom_tos pref.who_can_manage_guests
        pref.allow_message_deletion pref.msg_edit_window_mins pref.app_dir_only
        pref.disallow_public_file_urls pref.who_can_create_public_channels
        pref.who_can_archive_channels pref.app_whitelist_enabled pref.username_policy
        pref.session_duration_changed pref.session_duration_type_changed pref.allow_huddles
        pref.slack_connect_allowed_workspaces pref.workspace_access_changed""",
    "user": """
        user_login user_login_failed user_logout user_created user_deactivated
        user_reactivated user_email_updated user_username_updated user_joined_workspace
        user_session_invalidated user_session_reset_by_admin user_session_settings_changed
        user_logout_compromised user_logout_non_compliant_mobile_app_version
        guest_created guest_deactivated guest_reactivated guest_expiration_set
        guest_expiration_cleared guest_expired guest_joined_workspace owner_transferred
        role_change_to_admin role_change_to_guest role_change_to_owner role_change_to_user
        custom_tos_accepted connect_dm_invite_generated connect_dm_invite_accepted""",
    "file": """
        file_downloaded file_uploaded file_shared file_deleted file_downloaded_blocked
        file_public_link_created file_public_link_revoked
        file_malicious_content_detected""",
    "channel": """
        user_channel_join user_channel_leave guest_channel_join guest_channel_leave
        public_channel_created private_channel_created public_channel_deleted
        private_channel_deleted public_channel_archive private_channel_archive
        public_channel_unarchive private_channel_unarchive channel_renamed channel_moved
        public_channel_converted_to_private group_converted_to_channel
        mpim_converted_to_private channel_workspaces_updated channel_retention_changed
        channel_email_address_created channel_email_address_deleted public_channel_preview
        channel_posting_permissions_updated channel_posting_pref_changed_from_org_level
        external_shared_channel_invite_sent external_shared_channel_invite_accepted
        external_shared_channel_invite_declined external_shared_channel_invite_expired
        external_shared_channel_connected external_shared_channel_disconnected""",
    "app": """
        app_installed app_uninstalled app_scopes_expanded app_approved app_restricted
        app_resources_granted app_token_preserved app_removed_from_whitelist
        workflow_app_token_preserved bot_token_upgraded bot_token_downgraded
        org_app_workspace_added org_app_workspace_removed org_app_installed
        org_app_uninstalled org_app_upgraded_to_org_install""",
    "workflow_builder": """
        workflow_created workflow_deleted workflow_published workflow_unpublished
        workflow_responses_csv_download""",
    "message": """
        message_tombstoned message_restored message_flagged message_moderated
        thread_replies_disabled thread_replies_enabled""",
    "barrier": "barrier_created barrier_updated barrier_deleted",
    "huddle": """
        huddle_started huddle_ended huddle_participant_joined
        huddle_participant_left""",
    "anomaly": "anomaly",
    "slack_cli": "cli_login cli_logout cli_app_deploy",
    "subteam": """
        user_added_to_usergroup user_removed_from_usergroup default_channel_added_to_usergroup
        default_channel_removed_from_usergroup role_assigned_to_usergroup""",
    "role": "role_assigned role_removed role_modified",
}

# What happens all day in a real organization: these are drawn far more often.
_COMMON = """
    user_login user_logout file_downloaded file_uploaded file_shared user_channel_join
    user_channel_leave public_channel_created app_installed user_session_invalidated
    public_channel_preview message_tombstoned huddle_participant_joined"""
COMMON = _COMMON.split()

# Category (as /audit/v1/actions groups them) -> the actions in it.
ACTIONS = {category: names.split() for category, names in _ACTIONS.items()}
CATEGORY_OF = {action: category for category, names in ACTIONS.items() for action in names}

# /audit/v1/schemas: the members of each entity type.
SCHEMAS: list[dict[str, object]] = [
    {"type": "workspace", "workspace": {"id": "string", "name": "string", "domain": "string"}},
    {"type": "enterprise", "enterprise": {"id": "string", "name": "string", "domain": "string"}},
    {"type": "user", "user": {"id": "string", "name": "string", "email": "string"}},
    {
        "type": "file",
        "file": {"id": "string", "name": "string", "filetype": "string", "title": "string"},
    },
    {
        "type": "channel",
        "channel": {
            "id": "string",
            "name": "string",
            "privacy": "string",
            "is_shared": "bool",
            "is_org_shared": "bool",
        },
    },
    {
        "type": "app",
        "app": {
            "id": "string",
            "name": "string",
            "is_distributed": "bool",
            "is_directory_approved": "bool",
            "scopes": "array",
        },
    },
    {"type": "workflow", "workflow": {"id": "string", "name": "string"}},
    {"type": "message", "message": {"team": "string", "channel": "string", "timestamp": "string"}},
    {
        "type": "barrier",
        "barrier": {
            "id": "string",
            "primary_usergroup": "string",
            "barriered_from_usergroups": "array",
        },
    },
    {"type": "huddle", "huddle": {"id": "string", "date_start": "int", "participants": "array"}},
    {"type": "usergroup", "usergroup": {"id": "string", "name": "string"}},
    {"type": "role", "role": {"id": "string", "name": "string", "type": "string"}},
]
