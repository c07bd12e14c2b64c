// Asks before a command destroys something or shuts out a whole organisation.

namespace FetchApiKey.Cli;

/// <summary>The command line lacks what the command needs. The message is for the operator and ends the command with exit code 2.</summary>
public sealed class UsageException(string message) : Exception(message);

/// <param name="isGiven">Whether the command line has --yes.</param>
public sealed class Confirmation(StandardInput input, TextWriter error, bool isGiven)
{
    /// <summary>Returns when the operator agrees. Where nobody can be asked, silence is no agreement.</summary>
    /// <exception cref="OperatorException">The answer was anything but yes.</exception>
    /// <exception cref="UsageException">There is no terminal to ask at.</exception>
    public async Task RequireAsync(string consequence)
    {
        if (isGiven)
        {
            return;
        }

        if (!input.IsTerminal)
        {
            throw new UsageException($"{consequence} Without a terminal to ask at, this takes --yes.");
        }

        await error.WriteAsync($"{consequence} Go on? [y/N] ");
        if ((await Console.In.ReadLineAsync())?.Trim().ToUpperInvariant() is not ("Y" or "YES"))
        {
            throw new OperatorException("Nothing was done.");
        }
    }
}
