// Which limit holds for a name, and which for an address.

using Microsoft.Extensions.Logging;

namespace FetchApiKey.Attempts;

/// <param name="isOnAzure">There, an address that all clients share is the platform's own, and gets a higher limit.</param>
internal sealed class AttemptPolicies(AttemptSettings settings, bool isOnAzure, ILogger log)
{
    private readonly AttemptPolicy _address = OfAddress(settings.PerAddress, settings);
    private readonly AttemptPolicy _sharedAddress = OfAddress(settings.PerSharedAddress, settings);
    private bool _hasWarned;

    public AttemptPolicy Name { get; } = LoginAttempts.NamePolicyOf(settings);

    public AttemptPolicy For(ClientAddress address)
    {
        if (!IsEverybodys(address))
        {
            return _address;
        }

        if (!Interlocked.Exchange(ref _hasWarned, true))
        {
            log.ClientAddressesShared(_sharedAddress.Limit);
        }

        return _sharedAddress;
    }

    /// <summary>How many attempts of an address may be open.</summary>
    public int MostOpen(ClientAddress address) => IsEverybodys(address) ? OpenAttempts.OfSharedAddress : OpenAttempts.OfAddress;

    private bool IsEverybodys(ClientAddress address) => address.IsShared && isOnAzure;

    private static AttemptPolicy OfAddress(int limit, AttemptSettings settings) =>
        new(limit, settings.Window, DailyLimit: null, IsClearedBySuccess: false, IdBytes: sizeof(uint));
}
