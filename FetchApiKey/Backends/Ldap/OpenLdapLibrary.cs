// The native library that System.DirectoryServices.Protocols needs.

using System.Runtime.InteropServices;

namespace FetchApiKey.Backends.Ldap;

public static class OpenLdapLibrary
{
    /// <summary>What the package tries, in its order.</summary>
    private static readonly string[] Names = ["libldap.so.2", "libldap-2.6.so.0", "libldap-2.5.so.0", "libldap-2.4.so.2"];

    /// <summary>Null where one of them can be loaded, else what is missing and where to get it.</summary>
    public static string? WhyNot() =>
        Names.Any(name => NativeLibrary.TryLoad(name, out _)) ? null
        : $"the OpenLDAP client library is missing, none of {string.Join(", ", Names)} can be loaded; on Debian 12 the package libldap-2.5-0 has it";
}
