// Who asks a directory, and until when.

using FetchApiKey.Attempts;

namespace FetchApiKey.Backends.Ldap;

/// <param name="Client">Whose login it is: networks take turns.</param>
/// <param name="Begin">Called when the bind is about to be sent; from then on it is seen through.</param>
/// <param name="Left">How much time the request has.</param>
/// <param name="Waiting">Cancelled when the client goes away; without effect on a bind that was sent.</param>
internal sealed record DirectoryCaller(ClientAddress Client, Action Begin, TimeSpan Left, CancellationToken Waiting);
