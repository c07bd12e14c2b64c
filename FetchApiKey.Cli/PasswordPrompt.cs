// Where an operator's passwords come from: a prompt without echo, or one line of standard input. Never an argument.

using System.Text;
using FetchApiKey.Passwords;

namespace FetchApiKey.Cli;

public sealed class PasswordPrompt(StandardInput input, TextWriter error)
{
    /// <summary>
    /// Asked twice at a terminal, once where it is <paramref name="known"/> already; from elsewhere the first line, whole.
    /// </summary>
    /// <exception cref="OperatorException">There was none, it was not UTF-8, or the two differed.</exception>
    public async Task<TypedPassword> ReadAsync(bool known = false)
    {
        if (input.IsTerminal)
        {
            var first = Ask("Password: ");
            return known || first == Ask("Again: ") ? TypedPassword.FromText(first) : throw new OperatorException("The two passwords differ.");
        }

        return await input.ReadFirstLineAsync(CancellationToken.None) is { } line
            ? TypedPassword.FromText(line)
            : throw new OperatorException("Standard input gave no password.");
    }

    private string Ask(string prompt)
    {
        error.Write(prompt);
        var typed = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace)
            {
                typed.Length = Math.Max(0, typed.Length - 1);
            }
            else if (!char.IsControl(key.KeyChar))
            {
                typed.Append(key.KeyChar);
            }
        }

        error.WriteLine();
        return typed.ToString();
    }
}
