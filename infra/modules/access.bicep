// Who gets a role: what the modules that give one have in common.

@export()
@description('The id only makes the name of the assignment; without a type Azure looks it up.')
type principal = {
  id: string
  principalId: string
  type: 'ServicePrincipal'?
}
