// Serves a bound host name with its certificate.

param appName string
param hostName string
param thumbprint string

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource binding 'Microsoft.Web/sites/hostNameBindings@2024-11-01' = {
  parent: app
  name: hostName
  properties: { sslState: 'SniEnabled', thumbprint: thumbprint }
}
