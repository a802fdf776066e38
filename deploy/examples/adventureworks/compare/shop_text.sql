SELECT CAST(product_id AS CHAR), language, description FROM product_text ORDER BY product_id, language
