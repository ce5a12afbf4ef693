#!/bin/bash
# Formats once, with every user's SCRAM credentials in the metadata log, then runs. ANONYMOUS is a super user on the
# controller's listener alone, which is bound to localhost of this container: the other listener signs everybody in.
set -euo pipefail
config=/tmp/kafka.properties
umask 077
cp /etc/kept/kafka.properties "$config"
users=()
while read -r name password; do
  users+=(--add-scram "SCRAM-SHA-512=[name=$name,password=$password]")
  [[ $name == admin ]] && admin=$password
done </run/secrets/kafka
module=org.apache.kafka.common.security.scram.ScramLoginModule
echo "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=$module required username=\"admin\" password=\"$admin\";" >>"$config"
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id 4L6g3nShT-eMCtK--X86sw --config "$config" "${users[@]}"
exec /opt/kafka/bin/kafka-server-start.sh "$config"
