import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java client: BROKERS TOPIC FILE, where each line of the file is a compression, a tab, and an event. */
public final class Compressing {
    public static void main(String[] arguments) throws Exception {
        for (String line : Files.readAllLines(Path.of(arguments[2]))) {
            String[] said = line.split("\t", 2);
            Properties settings = new Properties();
            settings.put("bootstrap.servers", arguments[0]);
            settings.put("compression.type", said[0]);
            ByteArraySerializer plain = new ByteArraySerializer();
            try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, plain, plain)) {
                producer.send(new ProducerRecord<>(arguments[1], said[1].getBytes(StandardCharsets.UTF_8))).get();
            }
        }
    }
}
