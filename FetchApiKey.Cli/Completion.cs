// completion: what makes a shell ask this program how a command line goes on.

namespace FetchApiKey.Cli;

/// <summary>
/// Scripts that pass what has been typed behind the command's name to System.CommandLine's [suggest] directive, with the place
/// of the cursor in it. They run the command as it was typed, be it a path, a function or an alias.
/// </summary>
public static class Completion
{
    public const string Executable = "fetch-api-key";

    public static IReadOnlyDictionary<string, string> Scripts { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["bash"] = $$$"""
            # bash: put this line into ~/.bashrc:  source <({{{Executable}}} completion bash)
            _fetch_api_key() {
                local command=${COMP_WORDS[0]} typed=${COMP_LINE:0:COMP_POINT} suggestion
                local -a run=(${BASH_ALIASES[$command]:-${command/#\~/$HOME}})
                typed=${typed#"$command"}
                typed=${typed# }
                COMPREPLY=()
                while IFS= read -r suggestion; do
                    if [[ $suggestion == "$2"* && ( $suggestion != -* || $2 == -* ) ]]; then
                        COMPREPLY+=("$suggestion")
                    fi
                done < <("${run[@]}" "[suggest:${#typed}]" "$typed" 2>/dev/null)
            }
            complete -o default -F _fetch_api_key {{{Executable}}}

            """,
        ["zsh"] = $$$"""
            # zsh: put this line into ~/.zshrc, below compinit:  source <({{{Executable}}} completion zsh)
            _fetch_api_key() {
                local typed="${LBUFFER#"$words[1]"}" command="${words[1]/#\~/$HOME}"
                typed="${typed# }"
                local -a run suggestions
                run=(${(z)${aliases[$words[1]]:-$command}})
                suggestions=("${(@f)$("${run[@]}" "[suggest:${#typed}]" "$typed" 2>/dev/null)}")
                compadd -a suggestions || _files
            }
            compdef _fetch_api_key {{{Executable}}}

            """,
        ["fish"] = $$$"""
            # fish: put this line into ~/.config/fish/config.fish:  {{{Executable}}} completion fish | source
            function __fetch_api_key
                set -l command (commandline -opc)[1]
                set -l typed (string replace -r '^\S+\s?' '' -- (commandline -cp))
                $command "[suggest:"(string length -- "$typed")"]" "$typed" 2>/dev/null
            end
            complete -c {{{Executable}}} -a '(__fetch_api_key)'
            complete -c {{{Executable}}} -a '(__fetch_api_key)'

            """,
        ["pwsh"] = $$$"""
            # PowerShell: put this line into $PROFILE:  {{{Executable}}} completion pwsh | Out-String | Invoke-Expression
            Register-ArgumentCompleter -Native -CommandName {{{Executable}}}, {{{Executable}}} -ScriptBlock {
                param($wordToComplete, $commandAst, $cursorPosition)
                $command = $commandAst.CommandElements[0].Extent.Text
                $line = $commandAst.Extent.Text.PadRight($cursorPosition).Substring(0, $cursorPosition)
                $typed = $line.Substring($command.Length) -replace '^ ', ''
                & $command "[suggest:$($typed.Length)]" $typed 2>$null |
                    Where-Object { $_ -like "$wordToComplete*" } |
                    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
            }

            """,
    };
}
