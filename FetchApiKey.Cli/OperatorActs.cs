// Writes down what an operator changes or takes out, before it happens.

using FetchApiKey.Audit;

namespace FetchApiKey.Cli;

/// <summary>
/// Fails closed: an act that cannot be written down is not carried out. The record is made when all is judged and the change is
/// about to be sent, so that a change which then meets a fault is recorded too.
/// </summary>
/// <param name="verb">The command, such as "users add".</param>
public sealed class OperatorActs(AuditTable table, CorrelationDigest digest, TimeProvider time, string verb)
{
    private string Kind => verb switch
    {
        "users set-password" => SecurityEventKind.PasswordChanged,
        "users rotate-key" => SecurityEventKind.ApiKeyChanged,
        "users export" or "users zuliprc" => SecurityEventKind.ApiKeyDisclosed,
        "keys rotate" => SecurityEventKind.SealingKeyRotated,
        _ => SecurityEventKind.OperatorAct,
    };

    /// <summary>Whether something was recorded, so that what storage fails at then may have been carried out.</summary>
    public bool HasRecorded { get; private set; }

    /// <exception cref="Azure.RequestFailedException">The audit table took no record.</exception>
    public async Task RecordAsync(string subdomain, EmailAddress? email, int? userId, CancellationToken cancellation)
    {
        await table.StoreAsync(
            new SecurityEvent(
                time.GetUtcNow(), Kind, verb, subdomain, userId, email is null ? "" : digest.OfAccount(subdomain, email), Client: "",
                Environment.UserName, Invocation: ""),
            cancellation);
        HasRecorded = true;
    }
}
