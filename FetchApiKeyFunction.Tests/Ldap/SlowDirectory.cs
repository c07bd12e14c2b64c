// A directory that refuses every password, late.

namespace FetchApiKeyFunction.Tests.Ldap;

/// <summary>
/// The service's own bind and every search are answered at once, the latter with no entry, so that what follows is the bind of a decoy: the
/// endpoint treats it like a person's. That one is refused after the delay.
/// </summary>
internal sealed class SlowDirectory : IDisposable
{
    private readonly ScriptedDirectory _directory = new();

    public SlowDirectory(TimeSpan delay) => _directory.UserBind = (_, _) => new ScriptedReply(49, delay);

    /// <summary>Passwords that have reached it, the service's own apart.</summary>
    public int Binds => _directory.Binds;

    /// <summary>For an endpoint that asks it after the account's own password; names of the settings are separated by two underscores.</summary>
    public IReadOnlyDictionary<string, string> Settings =>
        new Dictionary<string, string>(_directory.Settings) { ["Ldap__people__operationTimeoutMs"] = "4000" };

    public void Dispose() => _directory.Dispose();
}
