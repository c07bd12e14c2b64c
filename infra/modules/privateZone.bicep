// The DNS zone that private endpoints of a service have their names in.

@export()
func zoneOf(service string) string =>
  service == 'vault' ? 'privatelink.vaultcore.azure.net' : 'privatelink.${service}.${environment().suffixes.storage}'
