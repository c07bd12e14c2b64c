// How long all that a login asks of a directory may take.

namespace FetchApiKey.Backends.Ldap;

/// <param name="Limit">Cancelled when the time is over, or the request's own.</param>
internal readonly record struct TimeBudget(TimeProvider Time, long Begun, TimeSpan Length, CancellationToken Limit)
{
    public TimeSpan Left => Length - Time.GetElapsedTime(Begun);
}
