// doctor: whether each server of a directory does what a login asks of it.

using System.Globalization;
using FetchApiKey.Backends.Ldap;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKey.Cli;

/// <summary>A finding for each address of each server: the connection, the service's bind, the bases, and how long a refused bind takes.</summary>
public sealed class DirectoryCheck(LdapSettings settings, TimeProvider time, HostLookUp? lookUp = null)
{
    /// <summary>Of the time for one question: whatever takes longer on a quiet day takes too long on a busy one.</summary>
    private const double SlowShare = 0.5;

    public async Task<IReadOnlyList<Finding>> RunAsync(CancellationToken cancellation)
    {
        using var directory = new LdapDirectory(settings, time, NullLogger.Instance, lookUp);
        var findings = new List<Finding>();
        foreach (var server in await directory.LookUpAsync(cancellation))
        {
            findings.Add(await ExamineAsync(directory, server, cancellation));
        }

        return findings;
    }

    private async Task<Finding> ExamineAsync(LdapDirectory directory, LdapServer server, CancellationToken cancellation)
    {
        try
        {
            var bind = await directory.ExamineAsync(server, cancellation);
            var took = bind.TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture);
            var seen = $"{server} answers and has the bases that people are searched below; a refused bind takes {took} ms";
            return bind < settings.OperationTimeout * SlowShare
                ? new Finding(Verdict.Ok, seen)
                : new Finding(
                    Verdict.Warning, $"{seen}, more than half of {Name("operationTimeoutMs")}",
                    $"look at why the directory refuses slowly, or raise {Name("operationTimeoutMs")}: without an answer in time it is 503, and counts");
        }
        catch (DirectoryUnavailableException fault)
        {
            return new Finding(Verdict.Failed, $"{server}: {fault.Message}", RemedyFor(fault.Fault));
        }
    }

    private string RemedyFor(DirectoryFault fault) => fault switch
    {
        DirectoryFault.Unreachable => $"look at {Name("uri")}, at the name and the port in it, and at the network between",
        DirectoryFault.Untrusted =>
            $"look at the directory's certificate, its host name and dates, at {Name("trustedCertificates")} and {Name("startTls")}",
        DirectoryFault.Silent =>
            $"look at the network between and at the directory's load, or raise {Name("connectTimeoutMs")} or {Name("operationTimeoutMs")}",
        DirectoryFault.Broken or DirectoryFault.Garbled =>
            $"look at whether {Name("uri")} is the port of an LDAP server, and ldaps where it is encrypted",
        DirectoryFault.Busy => "look at the directory; it recovers by itself",
        DirectoryFault.BindRefused =>
            $"look at {Name("bindDn")} and {Name("bindPassword")}, and at whether the directory has closed that account",
        DirectoryFault.BaseMissing => $"look at {Name("userSearchBase")}, and at whether bindDn may read it",
        DirectoryFault.SearchRefused => "look at what bindDn may do in the directory",
        _ => "try again",
    };

    private string Name(string setting) => $"Ldap__{settings.Id}__{setting}";
}
