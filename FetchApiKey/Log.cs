// Every event the process logs. None carries a password, a key, a hash, a query string or a typed user name.

using FetchApiKey.Accounts;
using FetchApiKey.Argon2;
using Microsoft.Extensions.Logging;

namespace FetchApiKey;

internal static partial class Log
{
    /// <summary>A row of an account or of a link: who asks for it is refused. A row of a realm: that realm is not served.</summary>
    public static void RowMalformed(this ILogger log, RowFault fault) =>
        log.RowMalformed(fault.Table, fault.Partition, fault.Row, fault.Column, fault.Problem);

    [LoggerMessage(1, LogLevel.Error, "A stored row cannot be used: table {Table}, partition '{Partition}', row '{Row}', column {Column} {Problem}")]
    private static partial void RowMalformed(this ILogger log, string table, string partition, string row, string column, string problem);

    [LoggerMessage(13, LogLevel.Error, "{Missing} Logins get 503 until then (invocation {Invocation})")]
    public static partial void TablesMissing(this ILogger log, string missing, string invocation);

    [LoggerMessage(2, LogLevel.Error, "The password hash of user {UserId} in realm '{Subdomain}' was refused ({Reason}); nobody can log in with it")]
    public static partial void StoredHashRefused(this ILogger log, int userId, string subdomain, string reason);

    [LoggerMessage(3, LogLevel.Information, "The outdated hash of user {UserId} in realm '{Subdomain}' was left alone: the account changed meanwhile")]
    public static partial void HashRenewalOvertaken(this ILogger log, int userId, string subdomain);

    [LoggerMessage(4, LogLevel.Warning, "The outdated hash of user {UserId} in realm '{Subdomain}' could not be replaced ({Fault}); the next login tries again")]
    public static partial void HashRenewalFailed(this ILogger log, int userId, string subdomain, string fault);

    [LoggerMessage(10, LogLevel.Error, "Account storage is unavailable: {Fault}, status {Status}, code {Code} (invocation {Invocation})")]
    public static partial void StorageUnavailable(this ILogger log, string fault, int status, string code, string invocation);

    [LoggerMessage(11, LogLevel.Error, "A request failed: {Fault} at {Place} (invocation {Invocation})")]
    public static partial void RequestFailed(this ILogger log, string fault, string place, string invocation);

    [LoggerMessage(20, LogLevel.Warning, "Account storage could not be asked for its tables at start ({Fault}); logins get 503 until it can")]
    public static partial void StorageUncheckedAtStart(this ILogger log, string fault);

    [LoggerMessage(22, LogLevel.Warning, "Argon2 is configured with {MemoryKib} KiB and {Passes} passes, below what OWASP advises (such as 19456 KiB and 2 passes)")]
    public static partial void HashCostIsLow(this ILogger log, int memoryKib, int passes);

    [LoggerMessage(12, LogLevel.Warning, "Too many requests wait for hashing; one was turned away (invocation {Invocation})")]
    public static partial void HashingGateFull(this ILogger log, string invocation);

    [LoggerMessage(30, LogLevel.Information, "Argon2 runs on the path {Path}")]
    public static partial void Argon2Chosen(this ILogger log, Argon2Path path);

    [LoggerMessage(31, LogLevel.Critical, "The self-test of Argon2 failed on the path {Path}; Konscious computes in its place, slower and in more memory")]
    public static partial void Argon2SelfTestFailed(this ILogger log, Argon2Path path);

    [LoggerMessage(32, LogLevel.Warning, "The memory that passwords are hashed in lacks {Protection}: the system refused it")]
    public static partial void HashingMemoryUnprotected(this ILogger log, string protection);

    [LoggerMessage(40, LogLevel.Warning, "Too many attempts on one account or from one address at once; one was turned away (invocation {Invocation})")]
    public static partial void AttemptsContended(this ILogger log, string invocation);

    [LoggerMessage(41, LogLevel.Warning, "An attempt that its client gave up could not be counted against the address ({Fault})")]
    public static partial void AbandonedAttemptNotCounted(this ILogger log, string fault);

    [LoggerMessage(47, LogLevel.Error, "Attempts cannot be judged: table {Table}, partition '{Key}', column {Column} {Problem}. Logins get 503 until the row is deleted ('users unlock') or a day old")]
    public static partial void AttemptRecordUnreadable(this ILogger log, string table, string key, string column, string problem);

    [LoggerMessage(42, LogLevel.Error, "Clients show no address of their own: all share one limit of {Limit} failures. See ClientAddress__header in the README")]
    public static partial void ClientAddressesShared(this ILogger log, int limit);

    [LoggerMessage(43, LogLevel.Information, "{Count} records of old attempts deleted")]
    public static partial void AttemptsSwept(this ILogger log, int count);

    [LoggerMessage(44, LogLevel.Warning, "What is too old could not be deleted ({Fault}); it is tried again")]
    public static partial void NotSwept(this ILogger log, string fault);

    [LoggerMessage(45, LogLevel.Warning, "The failed logins on an account whose password was changed could not be cleared ({Fault}); 'users unlock' forgets them")]
    public static partial void AttemptsNotCleared(this ILogger log, string fault);

    [LoggerMessage(46, LogLevel.Information, "The account of user {UserId} in realm '{Subdomain}' changed while a new password was set by a link; it is looked at again")]
    public static partial void ResetOvertaken(this ILogger log, int userId, string subdomain);

    [LoggerMessage(48, LogLevel.Error, "It is not known whether the password of user {UserId} in realm '{Subdomain}' was set by a link ({Fault}); the audit trail has it as set")]
    public static partial void ResetUncertain(this ILogger log, int userId, string subdomain, string fault);

    [LoggerMessage(50, LogLevel.Error, "The API key of user {UserId} in realm '{Subdomain}' is altered or another account's; its logins are refused")]
    public static partial void ApiKeyRefused(this ILogger log, int userId, string subdomain);

    [LoggerMessage(51, LogLevel.Error, "The API key of user {UserId} in realm '{Subdomain}' is sealed with a key that ApiKeys__keys does not name")]
    public static partial void ApiKeyUnreadable(this ILogger log, int userId, string subdomain);

    [LoggerMessage(60, LogLevel.Information, "Security event {Kind}: {Outcome} in realm '{Subdomain}', user {UserId}, account {Account}, client {Client} (invocation {Invocation})")]
    public static partial void SecurityEvent(this ILogger log, string kind, string outcome, string subdomain, int? userId, string account, string client, string invocation);

    [LoggerMessage(61, LogLevel.Error, "The audit table takes no events ({Fault}, status {Status}); they wait, and the log has them")]
    public static partial void AuditTableAway(this ILogger log, string fault, int status);

    [LoggerMessage(62, LogLevel.Error, "Security events are lost to the audit table ({Reason}); the log alone has them")]
    public static partial void AuditEventsLost(this ILogger log, string reason);

    [LoggerMessage(63, LogLevel.Information, "{Count} rows deleted from the audit table: the time of their events was over")]
    public static partial void AuditSwept(this ILogger log, int count);

    [LoggerMessage(70, LogLevel.Error, "Not ready: {Reason}")]
    public static partial void NotReady(this ILogger log, string reason);

    [LoggerMessage(33, LogLevel.Warning, "A stored hash has the cost {Cost}, which neither Argon2__ nor Hashing__alsoInUse names: its logins take another time than those of unknown names")]
    public static partial void StoredHashOfAnotherCost(this ILogger log, string cost);

    [LoggerMessage(90, LogLevel.Error, "Directory '{Id}' cannot judge a login: {Reason}")]
    public static partial void DirectoryUnavailable(this ILogger log, string id, string reason);

    [LoggerMessage(91, LogLevel.Warning, "Directory '{Id}' has several entries for one name; its logins are refused")]
    public static partial void DirectoryEntryAmbiguous(this ILogger log, string id);

    [LoggerMessage(92, LogLevel.Error, "Directory '{Id}' accepted a password, but its entry gives no e-mail address; the login is refused")]
    public static partial void DirectoryEntryWithoutEmail(this ILogger log, string id);

    [LoggerMessage(93, LogLevel.Warning, "{Backend} could not judge a password that another backend had refused ({Fault}); the attempt counts")]
    public static partial void BackendUnavailable(this ILogger log, string backend, string fault);

    [LoggerMessage(190, LogLevel.Warning, "Directory '{Id}': {Server} failed ({Reason}); the next address or server is asked")]
    public static partial void DirectoryServerFailed(this ILogger log, string id, string server, string reason);

    [LoggerMessage(191, LogLevel.Warning, "Directory '{Id}' gives an entry that cannot be used: it exceeds the limits or came in part; its logins are refused")]
    public static partial void DirectoryEntryUnusable(this ILogger log, string id);

    [LoggerMessage(198, LogLevel.Error, "Directory '{Id}' answers under other attribute names than it was asked for, so that one of these may be missed: {Attributes}; its logins are refused. Write each in the settings as the directory writes it in an entry")]
    public static partial void DirectoryAttributesUnrecognised(this ILogger log, string id, string attributes);

    [LoggerMessage(192, LogLevel.Error, "Directory '{Id}' refuses binds on this connection (LDAP result {Code}): it asks for encryption or another way to log in")]
    public static partial void DirectoryWantsEncryption(this ILogger log, string id, int code);

    [LoggerMessage(193, LogLevel.Error, "Account storage is unavailable after directory '{Id}' has answered a bind ({Fault}); the attempt counts")]
    public static partial void AccountsUnavailableAfterBind(this ILogger log, string id, string fault);

    [LoggerMessage(194, LogLevel.Warning, "Directory '{Id}' gives a value of {Attribute} that is not understood; whoever has it is taken for disabled")]
    public static partial void DirectoryValueNotUnderstood(this ILogger log, string id, string attribute);

    [LoggerMessage(195, LogLevel.Warning, "Directory '{Id}' gives a name that no account may have, longer than 100 characters or with control characters; no account is made")]
    public static partial void DirectoryNameInvalid(this ILogger log, string id);

    [LoggerMessage(196, LogLevel.Error, "Directory '{Id}' gives the address of user {UserId} of realm '{Realm}' to another entry than the account's; the login is refused")]
    public static partial void DirectoryAccountTaken(this ILogger log, string id, int userId, string realm);

    [LoggerMessage(197, LogLevel.Warning, "The unique id of an entry of directory '{Id}' was not stored ({Fault}); the next login stores it")]
    public static partial void DirectoryIdNotStored(this ILogger log, string id, string fault);
}
