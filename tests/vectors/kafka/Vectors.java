// Writes vectors.txt with Kafka's own client, the judge of our encoding: see README.md.

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.FetchRequestData;
import org.apache.kafka.common.message.FetchRequestData.FetchPartition;
import org.apache.kafka.common.message.FetchRequestData.FetchTopic;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.message.FetchResponseData.AbortedTransaction;
import org.apache.kafka.common.message.FetchResponseData.EpochEndOffset;
import org.apache.kafka.common.message.FetchResponseData.FetchableTopicResponse;
import org.apache.kafka.common.message.FetchResponseData.PartitionData;
import org.apache.kafka.common.message.MetadataRequestData;
import org.apache.kafka.common.message.MetadataResponseData;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponseBroker;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponsePartition;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponseTopic;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.SimpleRecord;

public class Vectors {
    private static final short METADATA = 12;
    private static final short FETCH = 13;
    private static final Uuid ID = new Uuid(0x0123456789abcdefL, 0xfedcba9876543210L);

    private static void say(String name, Message message, short version) {
        var cache = new ObjectSerializationCache();
        var buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        System.out.println(name + " " + HexFormat.of().formatHex(buffer.array()));
    }

    private static PartitionData part(int number, int error, long highwater, MemoryRecords records) {
        return new PartitionData().setPartitionIndex(number).setErrorCode((short) error).setHighWatermark(highwater)
            .setLastStableOffset(highwater).setLogStartOffset(3).setAbortedTransactions(null).setRecords(records);
    }

    public static void main(String[] words) {
        say("metadata_request", new MetadataRequestData().setTopics(null).setAllowAutoTopicCreation(false), METADATA);

        var metadata = new MetadataResponseData().setThrottleTimeMs(7).setClusterId("c1").setControllerId(1);
        metadata.brokers().add(new MetadataResponseBroker().setNodeId(1).setHost("localhost").setPort(9092).setRack(null));
        metadata.topics().add(new MetadataResponseTopic().setName("billing.events").setTopicId(ID).setPartitions(List.of(
            new MetadataResponsePartition().setPartitionIndex(2).setLeaderId(1).setLeaderEpoch(5)
                .setReplicaNodes(List.of(1, 3)).setIsrNodes(List.of(1)).setOfflineReplicas(List.of(3)))));
        metadata.topics().add(new MetadataResponseTopic().setName("no-id").setTopicId(Uuid.ZERO_UUID).setErrorCode((short) 5));
        say("metadata_response", metadata, METADATA);

        var asked = new FetchPartition().setPartition(2).setCurrentLeaderEpoch(-1).setFetchOffset(41)
            .setLastFetchedEpoch(-1).setLogStartOffset(-1).setPartitionMaxBytes(1_048_576);
        say("fetch_request", new FetchRequestData().setReplicaId(-1).setMaxWaitMs(500).setMinBytes(1).setMaxBytes(8_388_608)
            .setIsolationLevel((byte) 0).setSessionId(0).setSessionEpoch(-1).setRackId("")
            .setTopics(List.of(new FetchTopic().setTopicId(ID).setPartitions(List.of(asked)))), FETCH);

        var records = MemoryRecords.withRecords(41L, Compression.NONE, 4,
            new SimpleRecord(1_700_000_000_000L, "k".getBytes(), "v".getBytes()));
        var whole = part(2, 0, 42, records)
            .setAbortedTransactions(List.of(new AbortedTransaction().setProducerId(9).setFirstOffset(40)));
        var parted = part(3, 0, 9, MemoryRecords.EMPTY).setDivergingEpoch(new EpochEndOffset().setEpoch(3).setEndOffset(8));
        var other = part(4, 100, -1, MemoryRecords.EMPTY);
        say("fetch_response", new FetchResponseData().setResponses(List.of(
            new FetchableTopicResponse().setTopicId(ID).setPartitions(List.of(whole, parted, other)))), FETCH);
    }
}
